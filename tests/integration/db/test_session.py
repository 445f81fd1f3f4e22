"""Transactions: what commits, what rolls back, and what happens afterwards."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import ClassVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import exc, text

from cluster.services.ports import free_port
from db.auth.models import Organisation
from db.effects import CacheInvalidated, Effect, JobsEnqueued
from db.errors import Conflict, DatabaseBusy, DatabaseUnavailable, InvalidInput, PreconditionFailed, Unauthenticated
from db.session import Database, record_effect


class Refused(Conflict):
    code = "refused"


class CountedRefusal(Unauthenticated):
    code = "counted_refusal"
    keeps_changes: ClassVar[bool] = True


class Recorder:
    """Remembers the batches it was called with."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Effect]] = []

    async def __call__(self, batch: Sequence[Effect]) -> None:
        self.batches.append(batch)


async def organisations(database: Database) -> int:
    async with database.transaction(read_only=True) as session:
        return int(await session.scalar(text("SELECT count(*) FROM auth.organisations")) or 0)


async def test_a_block_that_ends_well_commits_and_then_runs_its_effects_once_each(database: Database) -> None:
    jobs, invalidations = Recorder(), Recorder()
    seen_by_handler: list[int] = []

    async def look(_: Sequence[JobsEnqueued]) -> None:
        seen_by_handler.append(await organisations(database))

    database.on_commit(JobsEnqueued, jobs)
    database.on_commit(JobsEnqueued, look)
    database.on_commit(CacheInvalidated, invalidations)
    async with database.transaction() as session:
        session.add(Organisation(name="Reef", slug="reef"))
        record_effect(session, JobsEnqueued(("default",)))
        record_effect(session, JobsEnqueued(("mail",)))
        record_effect(session, JobsEnqueued(("default",)))
        assert jobs.batches == []
    assert jobs.batches == [[JobsEnqueued(("default",)), JobsEnqueued(("mail",))]]
    assert seen_by_handler == [1]
    assert invalidations.batches == []


async def test_a_block_that_raises_changes_nothing_and_runs_no_effects(database: Database) -> None:
    jobs = Recorder()
    database.on_commit(JobsEnqueued, jobs)

    async def attempt() -> None:
        async with database.transaction() as session:
            session.add(Organisation(name="Reef", slug="reef"))
            await session.flush()
            record_effect(session, JobsEnqueued(("default",)))
            raise Refused

    with pytest.raises(Refused):
        await attempt()
    assert await organisations(database) == 0
    assert jobs.batches == []


async def test_a_commit_that_the_database_refuses_runs_no_effects(database: Database) -> None:
    jobs = Recorder()
    database.on_commit(JobsEnqueued, jobs)

    async def attempt() -> None:
        async with database.transaction() as session:
            session.add_all([Organisation(name="Reef", slug="reef"), Organisation(name="Reef too", slug="reef")])
            record_effect(session, JobsEnqueued(("default",)))

    with pytest.raises(exc.IntegrityError):
        await attempt()
    assert await organisations(database) == 0
    assert jobs.batches == []


async def test_a_refusal_that_keeps_changes_commits_runs_effects_and_is_still_raised(database: Database) -> None:
    jobs = Recorder()
    database.on_commit(JobsEnqueued, jobs)

    async def attempt() -> None:
        async with database.transaction() as session:
            session.add(Organisation(name="Reef", slug="reef"))
            record_effect(session, JobsEnqueued(("default",)))
            raise CountedRefusal

    with pytest.raises(CountedRefusal):
        await attempt()
    assert await organisations(database) == 1
    assert len(jobs.batches) == 1


async def test_a_failing_or_stuck_handler_never_fails_the_request(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.session.EFFECT_DEADLINE_S", 0.05)
    survivor = Recorder()

    async def broken(_: Sequence[JobsEnqueued]) -> None:
        raise RuntimeError("the queue owner is gone")

    async def stuck(_: Sequence[JobsEnqueued]) -> None:
        await asyncio.Event().wait()

    for handler in (broken, stuck, survivor):
        database.on_commit(JobsEnqueued, handler)
    with caplog.at_level(logging.ERROR, "db.session"):
        async with database.transaction() as session:
            session.add(Organisation(name="Reef", slug="reef"))
            record_effect(session, JobsEnqueued(("default",)))
    assert await organisations(database) == 1
    assert len(survivor.batches) == 1
    assert [record.message for record in caplog.records] == ["after-commit handler failed"] * 2


async def test_the_acting_user_is_known_inside_and_forgotten_afterwards(database: Database) -> None:
    actor = uuid4()
    async with database.transaction(acting_user_id=actor) as session:
        assert await session.scalar(text("SELECT app.acting_user_id()")) == actor
        backend = await session.scalar(text("SELECT pg_backend_pid()"))
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) == backend, "the pool reuses the newest"
        assert await session.scalar(text("SELECT app.acting_user_id()")) is None


async def test_a_read_only_transaction_cannot_write(database: Database) -> None:
    with pytest.raises(exc.DBAPIError, match="read-only transaction"):
        async with database.transaction(read_only=True) as session:
            session.add(Organisation(name="Reef", slug="reef"))
    async with database.transaction() as session:  # and does not leave its pooled connection read-only
        session.add(Organisation(name="Reef", slug="reef"))
    assert await organisations(database) == 1


async def test_the_loser_of_a_version_race_is_told_so(database: Database) -> None:
    async with database.transaction() as session:
        reef = Organisation(name="Reef", slug="reef")
        session.add(reef)

    async def attempt() -> None:
        async with database.transaction() as slow:
            mine = await slow.get_one(Organisation, reef.id)
            async with database.transaction() as quick:
                (await quick.get_one(Organisation, reef.id)).name = "Quick"
            mine.name = "Slow"

    with pytest.raises(PreconditionFailed):
        await attempt()
    async with database.transaction() as session:
        kept = await session.get_one(Organisation, reef.id)
        assert (kept.name, kept.version) == ("Quick", 2)


async def test_a_deadlock_is_reported_as_busy_and_the_other_side_finishes(database: Database) -> None:
    ids: list[UUID] = []
    async with database.transaction() as session:
        both = [Organisation(name="A", slug="a"), Organisation(name="B", slug="b")]
        session.add_all(both)
        await session.flush()
        ids = [one.id for one in both]
    ready = asyncio.Barrier(2)

    async def cross(first: UUID, second: UUID) -> None:
        async with database.transaction() as session:
            lock = text("SELECT 1 FROM auth.organisations WHERE id = :id FOR UPDATE")
            await session.execute(lock, {"id": first})
            await ready.wait()
            await session.execute(lock, {"id": second})

    results = await asyncio.gather(cross(ids[0], ids[1]), cross(ids[1], ids[0]), return_exceptions=True)
    assert sorted(type(result) for result in results if result is not None) == [DatabaseBusy]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2**63),
        ("integer", 2**31),
        ("text", "a\ud800"),
        ("text", "a\x00"),
        ("jsonb", '"\\u0000"'),
        ("timestamptz", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        ("numeric(3)", 1000),
    ],
)
async def test_a_value_that_cannot_be_stored_is_the_caller_s_mistake(
    database: Database, kind: str, value: object
) -> None:
    with pytest.raises(InvalidInput) as refused:
        async with database.transaction() as session:
            await session.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})
    assert refused.value.code == "invalid_input"
    assert await organisations(database) == 0, "the connection goes on"


async def test_a_value_of_the_wrong_type_is_ours(database: Database) -> None:
    with pytest.raises(exc.DBAPIError):
        async with database.transaction() as session:
            await session.execute(text("SELECT CAST(:value AS bigint)"), {"value": "7"})


async def test_a_server_that_is_not_there_is_reported_before_the_block_runs() -> None:
    nowhere = Database(
        f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", pool_size=1, max_overflow=0, application_name="test"
    )
    with pytest.raises(DatabaseUnavailable):
        async with nowhere.transaction():
            pytest.fail("the block must not run")
    await nowhere.dispose()


async def test_a_connection_cut_inside_a_transaction_is_reported_and_replaced(
    database: Database, postgres_server: str
) -> None:
    admin = await asyncpg.connect(postgres_server)

    async def attempt() -> None:
        async with database.transaction() as session:
            backend = await session.scalar(text("SELECT pg_backend_pid()"))
            await admin.execute("SELECT pg_terminate_backend($1, 5000)", backend)
            await session.scalar(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        await attempt()
    assert await organisations(database) == 0
    await admin.close()


async def test_idle_connections_that_the_server_closed_are_replaced_unnoticed(
    database: Database, postgres_server: str
) -> None:
    async with database.transaction() as session:
        backend = await session.scalar(text("SELECT pg_backend_pid()"))
    admin = await asyncpg.connect(postgres_server)
    await admin.execute("SELECT pg_terminate_backend($1, 5000)", backend)
    await admin.close()
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) != backend


async def test_a_request_that_finds_no_free_connection_is_refused_in_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.session.POOL_TIMEOUT_S", 0.05)
    small = Database(database_url, pool_size=1, max_overflow=0, application_name="test")
    async with small.transaction():
        with pytest.raises(DatabaseUnavailable):
            async with small.transaction():
                pytest.fail("there is only one connection")
    await small.dispose()


async def test_json_times_and_names_travel_as_declared(database: Database) -> None:
    async with database.transaction() as session:
        row = (
            await session.execute(text("SELECT '{\"a\": [1, null]}'::jsonb, now(), current_setting('TimeZone')"))
        ).one()
    assert row[0] == {"a": [1, None]}
    assert row[1].utcoffset().total_seconds() == 0
    assert row[2] == "UTC"
