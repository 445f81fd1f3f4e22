"""Partitions exist before they are needed."""

from sqlalchemy import text

from tests.fixtures.jobs import Bench


async def test_makes_what_is_missing_once(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        tomorrow = await session.scalar(text("SELECT 'jobs.history_' || to_char(now() + interval '1 day', 'YYYYMMDD')"))
        await session.execute(text(f"DROP TABLE {tomorrow}"))
    for made in (1, 0):
        await bench.enqueue("events.ensure_partitions", {})
        (job,) = await bench.claim()
        outcome = await bench.run(job)
        assert outcome.result == {"made": made, "dropped": 0}
        await bench.settle(job, outcome)
    async with bench.database.transaction() as session:
        assert await session.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": tomorrow})
