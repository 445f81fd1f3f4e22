"""The room above is found by name."""

import pytest

from actors.jobs import registry
from actors.jobs.contract import InvalidPolicy, QueuePolicy, Rate, Registry
from cluster.settings import Settings


def test_finds_kinds_and_runner() -> None:
    assert "exports.run" in registry.load_registry().kinds
    assert registry.load_runner().__name__ == "JobRunner"


def test_something_else_under_that_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "JOB_REGISTRY_IMPORT_PATH", "tasks.registry:KINDS")
    with pytest.raises(TypeError, match="Registry"):
        registry.load_registry()
    assert Registry(kinds={}).schedules == ()


def test_policies_are_checked_when_they_are_loaded() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert registry.load_policies(Registry(kinds={}), settings) == {}
    with pytest.raises(InvalidPolicy, match="queue 'mail': limit is 0"):
        registry.load_policies(Registry(kinds={}, policies=lambda _: {"mail": QueuePolicy(limit=0)}), settings)


@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        (QueuePolicy(limit=0), "limit is 0"),
        (QueuePolicy(limit_per_key=-1), "limit_per_key is -1"),
        (QueuePolicy(limit=2, limit_per_key=3), "can never be reached"),
        (QueuePolicy(rate=Rate(0)), r"rate\.starts is 0"),
        (QueuePolicy(rate=Rate(1, burst=0)), r"rate\.burst is 0"),
        (QueuePolicy(rate_per_key=Rate(1, per_s=0.0)), r"rate_per_key\.per_s is 0"),
        (QueuePolicy(rate=Rate(1, per_s=float("inf"))), r"rate\.per_s is inf"),
        (QueuePolicy(limit=1.5), r"limit is 1\.5"),  # type: ignore[arg-type]
    ],
)
def test_a_policy_that_cannot_be_kept_is_named(policy: QueuePolicy, wrong: str) -> None:
    with pytest.raises(InvalidPolicy, match=f"queue 'imports': .*{wrong}"):
        registry.check_policies({"fine": QueuePolicy(limit=1, limit_per_key=1, rate=Rate(1)), "imports": policy})
