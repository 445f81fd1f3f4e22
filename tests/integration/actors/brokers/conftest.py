"""What the tests of durable channels and maps share: one shard over a real Postgres."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.brokers import World


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A shard that has begun."""
    made = World(database_url)
    await made.begin()
    yield made
    await made.close()
