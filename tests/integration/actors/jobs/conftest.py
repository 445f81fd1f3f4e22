"""A queue owner with a real database and a clock of the test's own."""

from collections.abc import AsyncIterator

import pytest

from actors.jobs.actor import QueueOwner
from cluster.settings import Settings
from tests.fixtures.queue_owner import REGISTRY, Clock, Start


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(database_url: str, clock: Clock) -> AsyncIterator[Start]:
    owners: list[QueueOwner] = []
    settings = Settings(database_url=database_url, _env_file=None)  # type: ignore[call-arg]

    async def make() -> QueueOwner:
        owner = QueueOwner(0, 1, settings, registry=REGISTRY, clock=clock, jitter=lambda: 0.5)
        owners.append(owner)
        await owner.start()
        return owner

    yield make
    for owner in owners:
        await owner.stop()
