"""What the supervisor's process is made of."""

from tests.fixtures.imports import loaded_by


def test_who_only_creates_shards_and_agents_loads_nothing_of_what_they_do() -> None:
    loaded = loaded_by("actors.supervisor.handle")
    assert {"actors.hosts.handle", "actors.agents.handle"} <= loaded
    assert not {"sqlalchemy", "asyncpg", "redis", "db", "actors.brokers", "actors.caches"} & loaded
