"""What an agent does with its connections."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from actors.agents.connections import Connections
from actors.brokers.contract import PublishRequest
from actors.jobs.contract import Schedule
from db.session import Database

SCHEDULE = Schedule("nightly", "maintenance.prune", cron="0 3 * * *", args={"days": 3})


class Brokers:
    def __init__(self) -> None:
        self.published: list[PublishRequest] = []

    async def publish(self, request: PublishRequest) -> None:
        self.published.append(request)


def connections(database: Database, brokers: Any = None) -> Connections:
    return Connections(database, brokers, cache=None)  # type: ignore[arg-type]


async def test_a_schedule_is_fired_once_per_time_and_not_beside_a_run_that_is_not_over(database: Database) -> None:
    agents = [connections(database), connections(database)]
    for day in (1, 2):
        for agent in agents:
            await agent.fire(SCHEDULE, datetime(2026, 1, day, tzinfo=UTC))
    async with database.transaction(read_only=True) as session:
        found = (await session.execute(text("SELECT kind, queue, args, unique_key FROM jobs.jobs"))).all()
        assert await session.scalar(text("SELECT count(*) FROM jobs.cron_fires")) == 2
    assert [tuple(row) for row in found] == [("maintenance.prune", "maintenance", {"days": 3}, "cron:nightly")]


async def test_what_a_job_publishes_has_an_id_of_its_own(database: Database) -> None:
    brokers = Brokers()
    agent = connections(database, brokers)
    await agent.publish("room:1", b"{}")
    await agent.publish("room:1", b"{}")
    assert [(request.channel, request.data) for request in brokers.published] == [("room:1", b"{}")] * 2
    assert len({request.publication_id for request in brokers.published}) == 2
