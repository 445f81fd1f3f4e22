"""History partitions: made ahead, moved out of the default one, dropped whole."""

from uuid import uuid4

from sqlalchemy import text

from db.jobs import maintenance
from db.session import Database

INSERT = text(
    "INSERT INTO jobs.history (id, finished_at, queue, kind, args, priority, state, attempt, errors, created_at)"
    " VALUES (:id, now() + make_interval(days => :days), 'q', 'k', '{}', 0, 'succeeded', 1, '[]', now())"
)


async def where(database: Database, days: int) -> str:
    async with database.transaction() as session:
        await session.execute(INSERT, {"id": uuid4(), "days": days})
    async with database.transaction() as session:
        sql = "SELECT tableoid::regclass::text FROM jobs.history ORDER BY finished_at DESC LIMIT 1"
        return str(await session.scalar(text(sql if days >= 0 else sql.replace("DESC", "ASC"))))


async def test_rows_that_fell_into_the_default_partition_move_to_their_day(database: Database) -> None:
    assert (await where(database, 0)).startswith("jobs.history_2")
    assert await where(database, 20) == "jobs.history_default"
    async with database.transaction() as session:
        assert await maintenance.ensure_partitions(session) == 1
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM ONLY jobs.history_default")) == 0
        assert await session.scalar(text("SELECT count(*) FROM jobs.history")) == 2
        assert await maintenance.ensure_partitions(session) == 0


async def test_old_days_are_dropped_and_others_kept(database: Database) -> None:
    await where(database, -40)
    await where(database, 0)
    async with database.transaction() as session:
        await maintenance.ensure_partitions(session)
        assert await maintenance.drop_old_partitions(session, keep_days=30) == 1
        assert await session.scalar(text("SELECT count(*) FROM jobs.history")) == 1


async def test_the_newest_fire_key_of_a_schedule_stays(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO jobs.cron_fires (schedule, fire_at) VALUES ('monthly', now() - interval '20 days'),"
                " ('often', now() - interval '20 days'), ('often', now())"
            )
        )
        assert await maintenance.prune_fires(session) == 1
        left = {row.schedule for row in await session.execute(text("SELECT schedule FROM jobs.cron_fires"))}
    assert left == {"monthly", "often"}


async def test_silent_agents_are_forgotten(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO jobs.nodes (boot, node, last_seen_at) VALUES"
                " (gen_random_uuid(), 'a', now() - interval '3 days'), (gen_random_uuid(), 'b', now())"
            )
        )
        assert await maintenance.prune_nodes(session) == 1
