"""The room above is found by name."""

import pytest

from actors.jobs import registry
from actors.jobs.contract import Registry


def test_finds_kinds_and_runner() -> None:
    assert "exports.run" in registry.load_registry().kinds
    assert registry.load_runner().__name__ == "JobRunner"


def test_something_else_under_that_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "JOB_REGISTRY_IMPORT_PATH", "tasks.registry:KINDS")
    with pytest.raises(TypeError, match="Registry"):
        registry.load_registry()
    assert Registry(kinds={}).schedules == ()
