"""Enqueue: in the caller's transaction, unique while alive, in bulk."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from db.effects import JobsEnqueued
from db.jobs.queue import NewJob, enqueue, enqueue_many, new_job_id
from db.session import Database, recorded_effects


async def test_a_job_exists_exactly_when_its_transaction_commits(database: Database) -> None:
    async with database.transaction() as session:
        kept = await enqueue(session, "kind.a", {"n": 1}, queue="q1", priority=5)
        assert recorded_effects(session) == [JobsEnqueued(("q1",))]

    async def rolled_back() -> None:
        async with database.transaction() as session:
            await enqueue(session, "kind.b", {})
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await rolled_back()
    async with database.transaction() as session:
        rows = (await session.execute(text("SELECT id, kind, args, priority FROM jobs.jobs"))).all()
        states = (await session.execute(text("SELECT id, state, priority FROM jobs.queue"))).all()
    assert [tuple(row) for row in rows] == [(kept, "kind.a", {"n": 1}, 5)]
    assert [tuple(row) for row in states] == [(kept, "ready", 5)]


async def test_a_future_job_is_deferred(database: Database) -> None:
    async with database.transaction() as session:
        later = await enqueue(session, "k", {}, run_at=datetime.now(UTC) + timedelta(hours=1))
        now = await enqueue(session, "k", {}, run_at=datetime.now(UTC) - timedelta(hours=1))
        states = {row.id: row.state for row in await session.execute(text("SELECT id, state FROM jobs.queue"))}
    assert states == {later: "deferred", now: "ready"}


async def test_a_unique_key_makes_one_job_while_it_lives_and_a_new_one_afterwards(database: Database) -> None:
    async with database.transaction() as session:
        first = await enqueue(session, "k", {}, unique_key="only")
    async with database.transaction() as session:
        assert await enqueue(session, "k", {}, unique_key="only") == first
        assert recorded_effects(session) == []
        assert await enqueue(session, "k", {}, unique_key="other") != first
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM jobs.jobs WHERE id = :id"), {"id": first})
        await session.execute(text("DELETE FROM jobs.queue WHERE id = :id"), {"id": first})
    async with database.transaction() as session:
        assert await enqueue(session, "k", {}, unique_key="only") != first


async def test_a_unique_key_holds_between_transactions_at_the_same_time(database: Database) -> None:
    async def one() -> object:
        async with database.transaction() as session:
            return await enqueue(session, "k", {}, unique_key="race")

    ids = await asyncio.gather(*(one() for _ in range(12)))
    assert len(set(ids)) == 1


async def test_bulk_keeps_order_and_handles_duplicate_keys_inside_the_batch(database: Database) -> None:
    jobs = [NewJob("k", {"n": n}, unique_key="same" if n in (3, 4) else None) for n in range(500)]
    async with database.transaction() as session:
        ids = await enqueue_many(session, jobs)
        by_id = {row.id: row.args["n"] for row in await session.execute(text("SELECT id, args FROM jobs.jobs"))}
    assert len(ids) == 500
    assert ids[3] == ids[4]
    assert len(by_id) == 499
    assert [by_id[i] for i in ids[:3]] == [0, 1, 2]


def test_ids_grow_with_time() -> None:
    ids = [new_job_id() for _ in range(5_000)]
    assert ids == sorted(ids)
    first = ids[0]
    assert first.version == 7
    assert abs((first.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 5


async def test_a_job_says_whose_it_is_and_so_does_its_effect(database: Database) -> None:
    async with database.transaction() as session:
        mine = await enqueue(session, "k", {}, queue="q", key="tenant-1")
        assert recorded_effects(session) == [JobsEnqueued((), (("q", "tenant-1"),))]
        await enqueue_many(session, [NewJob("k", queue="q"), NewJob("k", queue="q", key="b"), NewJob("k", key="a")])
        assert recorded_effects(session)[-1] == JobsEnqueued(("q",), (("default", "a"), ("q", "b")))
        await enqueue(session, "later", {}, queue="q", run_at=datetime.now(UTC) + timedelta(hours=1))
        assert recorded_effects(session)[-1] == JobsEnqueued(("q",), look=True), "the owner must know when it is due"
        statement = text("SELECT id, key FROM jobs.queue WHERE state = 'ready' ORDER BY id")
        keys = [tuple(row) for row in await session.execute(statement)]
    assert keys[0] == (mine, "tenant-1")
    assert [key for _, key in keys] == ["tenant-1", None, "b", "a"]


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_is_a_short_text(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        NewJob("k", key=key)
