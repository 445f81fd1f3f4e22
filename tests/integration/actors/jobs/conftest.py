"""A queue owner with a real database and a clock of the test's own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from actors.jobs.actor import QueueOwner
from actors.jobs.contract import QueuePolicy
from cluster.settings import Settings
from tests.fixtures.queue_owner import REGISTRY, Clock, Start


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(database_url: str, clock: Clock) -> AsyncIterator[Start]:
    owners: list[QueueOwner] = []
    settings = Settings(database_url=database_url, _env_file=None)  # type: ignore[call-arg]

    async def make(policies: Mapping[str, QueuePolicy] | None = None) -> QueueOwner:
        registry = replace(REGISTRY, policies=lambda _: policies or {})
        owner = QueueOwner(0, 1, settings, registry=registry, clock=clock, jitter=lambda: 0.5)
        owners.append(owner)
        await owner.start()
        return owner

    yield make
    for owner in owners:
        await owner.stop()
