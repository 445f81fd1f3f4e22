"""How many processes write one export."""

import os
from typing import Any

import pytest

from cluster.settings import Settings
from tasks.exports import processes
from tasks.exports.processes import MOST_BY_DEFAULT, count_processes


def settings(**fields: Any) -> Settings:
    return Settings(_env_file=None, **fields)


async def test_the_setting_decides() -> None:
    assert await count_processes(settings(export_processes=7)) == 7
    assert await count_processes(settings(export_processes=1)) == 1


async def test_otherwise_as_many_as_the_cluster_has_processors_within_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await count_processes(settings()) == min(MOST_BY_DEFAULT, os.cpu_count() or 1)  # no cluster here
    monkeypatch.setattr(processes.ray, "is_initialized", lambda: True)
    for has, expected in ({"CPU": 3.0}, 3), ({"CPU": 64.0}, MOST_BY_DEFAULT), ({}, 1):
        monkeypatch.setattr(processes.ray, "cluster_resources", lambda has=has: has)
        assert await count_processes(settings()) == expected
