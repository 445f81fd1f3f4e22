"""The owner's statements: leases, fences, zombies, rescue, what a crash forgets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from cluster import tracing
from cluster.settings import Settings
from db.effects import LOOK
from db.jobs.lease import LeaseToken, hold, save_checkpoint
from db.jobs.queue import NewJob, enqueue_many
from db.jobs.service import cancel_job
from db.jobs.statements import CLAIM, CLAIM_KEYS, LAX_FENCE
from db.jobs.store import Assertion, Busy, Fenced, Finish, JobStore, Line, ProgressNote, Release, Unstorable
from db.session import Database
from tests.fixtures.waiting import eventually

Open = Callable[..., Awaitable[JobStore]]


@pytest.fixture
async def open_store(database_url: str) -> AsyncIterator[Open]:
    opened: list[JobStore] = []

    async def make(boot: UUID | None = None) -> JobStore:
        store = JobStore(database_url, shard=0, boot=boot or uuid4())
        opened.append(store)
        await store.take()
        return store

    yield make
    for store in opened:
        await store.close()


async def add(database: Database, count: int = 1, **fields: Any) -> list[UUID]:
    async with database.transaction() as session:
        return await enqueue_many(session, [NewJob("k", {"n": n}, **fields) for n in range(count)])


async def rows(database: Database, sql: str) -> list[Any]:
    async with database.transaction() as session:
        return [tuple(row) for row in await session.execute(text(sql))]


async def test_claims_by_priority_then_age_within_the_room_of_each_queue(database: Database, open_store: Open) -> None:
    store = await open_store()
    low = await add(database, 2, queue="a", priority=5)
    high = await add(database, 1, queue="a", priority=-1)
    await add(database, 3, queue="b")
    claimed = await store.claim({"a": 2, "b": 1, "c": 9}, base=100, node="n1")
    assert [job.id for job in claimed if job.queue == "a"] == [high[0], low[0]]
    assert len([job for job in claimed if job.queue == "b"]) == 1
    assert sorted(job.number for job in claimed) == [101, 102, 103]
    assert {job.attempt for job in claimed} == {1}
    assert claimed[0].args == {"n": 0}
    assert await rows(database, "SELECT count(*) FROM jobs.queue WHERE state = 'running' AND node = 'n1'") == [(3,)]


async def test_only_a_claim_commits_without_waiting_for_the_disk(open_store: Open) -> None:
    store = await open_store()
    connection = store._claiming
    assert connection is not None
    assert LAX_FENCE in CLAIM
    assert LAX_FENCE in CLAIM_KEYS
    lax = f"WITH {LAX_FENCE} SELECT current_setting('synchronous_commit') FROM fence"
    assert await connection.fetchval(lax, 0, store._boot) == "off"
    assert await connection.fetchval("SHOW synchronous_commit") == "on", "it ends with the statement's transaction"


async def test_the_word_for_a_look_at_the_table_is_a_queue_with_nothing_in_it(
    database: Database, open_store: Open
) -> None:
    """An owner of before, which takes it for the name of a queue, asks for its jobs."""
    store = await open_store()
    await add(database)
    assert await store.claim({LOOK: 1}, base=0, node="n1") == []
    with pytest.raises(ValueError, match="a queue has a name"):
        NewJob("k", queue=LOOK)


async def test_a_job_carries_the_trace_of_its_transaction(database: Database, open_store: Open) -> None:
    store = await open_store()
    settings = Settings(_env_file=None, otel_enabled=True)  # type: ignore[call-arg]
    tracing.configure(settings, process="api", exporter=InMemorySpanExporter())
    try:
        with tracing.span("request"):
            trace = tracing.current()["trace_id"]
            [traced] = await add(database)
    finally:
        tracing.shutdown()
    [plain] = await add(database)  # on the same connection: the setting ended with its transaction
    claimed = {job.id: job.traceparent for job in await store.claim({"default": 9}, base=0, node="n")}
    assert claimed[traced].split("-")[1] == trace
    assert claimed[plain] == ""


async def test_two_claims_at_once_never_share_a_job(database: Database, open_store: Open) -> None:
    store = await open_store()
    await add(database, 100, queue="a")
    both = await asyncio.gather(store.claim({"a": 60}, base=0, node="n1"), store.claim({"a": 60}, base=1000, node="n2"))
    ids = [job.id for batch in both for job in batch]
    assert len(ids) == len(set(ids)) == 100


async def test_cancelled_jobs_that_nobody_runs_are_ended_and_the_wish_is_forgotten_with_them(
    database: Database, open_store: Open
) -> None:
    boot = uuid4()
    store = await open_store(boot)
    released, running, ended = await add(database, 3, queue="a")
    lease = {job.id: job for job in await store.claim({"a": 3}, base=0, node="n1")}
    async with database.transaction() as session:
        for job_id in (released, running, ended):
            await cancel_job(session, job_id)
    await store.release([Release(released, boot, lease[released].number, 60.0)])
    await store.finish([Finish(ended, boot, lease[ended].number, "succeeded")])
    assert set((await store.stage()).cancelled) == {released, running, ended}
    assert await store.end_cancelled([released, running, ended]) == {released}
    assert (await store.stage()).cancelled == (running,)
    assert await rows(database, "SELECT id FROM jobs.queue") == [(running,)]
    history = await rows(database, "SELECT id, state FROM jobs.history")
    assert sorted(history) == sorted([(released, "cancelled"), (ended, "succeeded")])


async def test_what_a_handler_holds_is_named_and_the_rest_can_be_written(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    held, free = await add(database, 2, queue="a")
    lease = {job.id: job.number for job in await store.claim({"a": 2}, base=0, node="n1")}
    ends = [Finish(job_id, boot, number, "succeeded") for job_id, number in lease.items()]
    notes = [ProgressNote(job_id, boot, number, {"rows": 1}) for job_id, number in lease.items()]
    async with database.transaction() as session:
        await hold(session, held, LeaseToken(boot, lease[held]))
        await save_checkpoint(session, held, {"part": 1})
        assert [note.id for note in await store.progress(notes)] == [held]
        with pytest.raises(Busy) as busy:
            await store.finish(ends)
        assert busy.value.job_ids == {held}
        assert await store.finish([end for end in ends if end.id == free]) == {free}
    assert await store.progress(notes) == []
    assert await rows(database, "SELECT progress, checkpoint FROM jobs.progress") == [({"rows": 1}, {"part": 1})]
    assert await store.finish(ends) == {held}


async def test_finish_files_the_job_and_a_zombie_changes_nothing(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    (job_id,) = await add(database, 1, queue="a", user_id=uuid4())
    (first,) = await store.claim({"a": 1}, base=0, node="n1")
    assert await store.release([Release(job_id, boot, first.number, 0.0, error={"error": "died"})]) == set()
    (second,) = await store.claim({"a": 1}, base=10, node="n1")
    assert second.attempt == 2

    zombie = await store.finish([Finish(job_id, boot, first.number, "succeeded", result={"by": "zombie"})])
    stranger = await store.finish([Finish(job_id, uuid4(), second.number, "succeeded")])
    assert (zombie, stranger) == (set(), set())
    assert await rows(database, "SELECT count(*) FROM jobs.history") == [(0,)]

    done = await store.finish([Finish(job_id, boot, second.number, "succeeded", result={"by": "winner"})])
    assert done == {job_id}
    history = await rows(database, "SELECT id, state, attempt, result, errors, kind FROM jobs.history")
    assert history == [(job_id, "succeeded", 2, {"by": "winner"}, [{"error": "died"}], "k")]
    assert await rows(database, "SELECT (SELECT count(*) FROM jobs.jobs), (SELECT count(*) FROM jobs.queue)") == [
        (0, 0)
    ]


async def test_zombie_numbers_that_repeat_after_a_crash_do_not_match(database: Database, open_store: Open) -> None:
    """The row's number alone would match: it is the owner's boot id that tells the leases apart (DESIGN §5, 14)."""
    old_boot, new_boot = uuid4(), uuid4()
    old = await open_store(old_boot)
    (job_id,) = await add(database, 1, queue="a")
    (before,) = await old.claim({"a": 1}, base=0, node="n1")
    # Postgres crashed and forgot the claim, which was committed without waiting for the disk.
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'ready', attempt = 0, lease_owner = NULL, lease_no = NULL")
        )
    new = await open_store(new_boot)
    (after,) = await new.claim({"a": 1}, base=0, node="n1")
    assert before.number == after.number
    assert await new.finish([Finish(job_id, old_boot, before.number, "succeeded")]) == set()
    assert await new.finish([Finish(job_id, new_boot, after.number, "succeeded")]) == {job_id}


async def test_a_deposed_owner_can_do_nothing(database: Database, open_store: Open) -> None:
    old_boot = uuid4()
    old = await open_store(old_boot)
    ids = await add(database, 2, queue="a")
    (job,) = await old.claim({"a": 1}, base=0, node="n1")
    new = await open_store()
    with pytest.raises(Fenced):
        await old.claim({"a": 5}, base=10, node="n1")
    with pytest.raises(Fenced):
        await old.finish([Finish(job.id, old_boot, job.number, "succeeded")])
    with pytest.raises(Fenced):
        await old.release([Release(job.id, old_boot, job.number, 0.0)])
    with pytest.raises(Fenced):
        await old.stage()
    assert len(await rows(database, "SELECT id FROM jobs.queue")) == 2
    # The new owner honours the lease under its old token.
    (held,) = await new.held()
    assert (held.id, held.owner, held.number, held.attempt, held.node) == (ids[0], old_boot, job.number, 1, "n1")
    assert await new.finish([Finish(held.id, held.owner, held.number, "succeeded")]) == {job.id}


async def test_take_over_waits_for_a_batch_in_flight(database: Database, open_store: Open, database_url: str) -> None:
    """The batch holds the fence FOR SHARE: a take-over cannot read what runs before the batch has committed."""
    boot = uuid4()
    await open_store(boot)
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.fetch("SELECT 1 FROM jobs.owners WHERE shard = 0 AND boot = $1 FOR SHARE", boot)
    taking = asyncio.create_task(open_store())
    done, _ = await asyncio.wait({taking}, timeout=0.3)
    assert not done
    await transaction.commit()
    await asyncio.wait_for(taking, 5)
    await connection.close()


async def test_release_defers_and_does_not_count_what_never_started(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    a, b = await add(database, 2, queue="a")
    jobs = {job.id: job for job in await store.claim({"a": 2}, base=0, node="n1")}
    await store.release(
        [
            Release(a, boot, jobs[a].number, 3600.0, error={"error": "later"}),
            Release(b, boot, jobs[b].number, 0.0, counted=False),
        ]
    )
    states = await rows(database, "SELECT id, state, attempt, run_at > now() FROM jobs.queue ORDER BY id")
    assert sorted(states) == sorted([(a, "deferred", 1, True), (b, "ready", 0, False)])
    staged = await store.stage()
    assert staged.queues == ()
    assert staged.next_in_s == pytest.approx(3600, abs=5)
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET run_at = now() - interval '1 s' WHERE state = 'deferred'"))
    assert (await store.stage()).queues == ("a",)


async def test_release_waits_its_turn_while_a_transaction_of_the_job_is_open(
    database: Database, open_store: Open
) -> None:
    boot = uuid4()
    store = await open_store(boot)
    (job_id,) = await add(database, 1, queue="a")
    (job,) = await store.claim({"a": 1}, base=0, node="n1")
    async with database.transaction() as session:
        await hold(session, job_id, LeaseToken(boot, job.number))
        assert await store.release([Release(job_id, boot, job.number, 0.0)]) == {job_id}
    assert await store.release([Release(job_id, boot, job.number, 0.0)]) == set()


async def test_reassert_writes_back_what_a_crash_forgot_and_nothing_else(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    forgotten, taken, ended = await add(database, 3, queue="a")
    jobs = {job.id: job for job in await store.claim({"a": 3}, base=0, node="n1")}
    async with database.transaction() as session:
        await session.execute(
            text(
                "UPDATE jobs.queue SET state = 'ready', attempt = 0, lease_owner = NULL, lease_no = NULL WHERE id = :i"
            ),
            {"i": forgotten},
        )
        await session.execute(text("UPDATE jobs.queue SET lease_no = 999 WHERE id = :i"), {"i": taken})
    await store.finish([Finish(ended, boot, jobs[ended].number, "succeeded")])
    stand = await store.reassert([Assertion(i, boot, job.number, "n1", job.attempt) for i, job in jobs.items()])
    assert stand == {forgotten}
    assert await store.finish([Finish(forgotten, boot, jobs[forgotten].number, "succeeded")]) == {forgotten}


async def test_progress_needs_the_lease(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    (job_id,) = await add(database, 1, queue="a")
    (job,) = await store.claim({"a": 1}, base=0, node="n1")
    await store.progress([ProgressNote(job_id, boot, job.number, {"rows": 1})])
    async with database.transaction() as session:
        await save_checkpoint(session, job_id, {"part": 1})
    await store.progress([ProgressNote(job_id, boot, job.number, {"rows": 2})])
    await store.progress([ProgressNote(job_id, boot, job.number + 1, {"rows": 99})])
    assert await rows(database, "SELECT progress, checkpoint FROM jobs.progress") == [({"rows": 2}, {"part": 1})]
    await store.release([Release(job_id, boot, job.number, 0.0)])
    (again,) = await store.claim({"a": 1}, base=5, node="n1")
    assert again.checkpoint == {"part": 1}
    await store.finish([Finish(job_id, boot, again.number, "succeeded", kept=False)])
    assert await rows(database, "SELECT count(*) FROM jobs.progress") == [(0,)]
    assert await rows(database, "SELECT count(*) FROM jobs.history") == [(0,)]


async def test_waiting_queues_are_found_without_being_told(database: Database, open_store: Open) -> None:
    store = await open_store()
    assert await store.waiting_queues() == []
    for queue in ("c", "a", "b"):
        await add(database, 20, queue=queue)
    assert await store.waiting_queues() == ["a", "b", "c"]


async def test_beat_notes_the_agent_once(database: Database, open_store: Open) -> None:
    store = await open_store()
    boot = uuid4()
    await store.beat("n1", boot, 0)
    await store.beat("n1", boot, 3)
    assert await rows(database, "SELECT boot, node, running FROM jobs.nodes") == [(boot, "n1", 3)]


async def test_what_was_not_counted_is_counted_apart(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    (job_id,) = await add(database, 1, queue="a")
    seen = []
    for counted, spared in ((False, True), (False, True), (False, False), (True, False), (True, False)):
        (job,) = await store.claim({"a": 1}, base=10 * len(seen), node="n1")
        seen.append((job.attempt, job.spared, (await store.held())[0].spared))
        await store.release([Release(job_id, boot, job.number, 0.0, counted=counted, spared=spared)])
    assert seen == [(1, 0, 0), (1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2)]


@pytest.mark.parametrize("value", [{"t": "a\x00b"}, {"n": 2**70}])
async def test_what_cannot_be_stored_is_told_from_a_server_that_is_away(
    database: Database, open_store: Open, value: dict[str, Any]
) -> None:
    boot = uuid4()
    store = await open_store(boot)
    (job_id, other) = await add(database, 2, queue="a")
    jobs = {job.id: job for job in await store.claim({"a": 2}, base=0, node="n1")}
    job = jobs[job_id]
    with pytest.raises(Unstorable):
        await store.finish([Finish(job_id, boot, job.number, "succeeded", result=value)])
    with pytest.raises(Unstorable):
        await store.release([Release(job_id, boot, job.number, 1.0, error=value)])
    notes = [ProgressNote(i, boot, jobs[i].number, value if i == job_id else {"rows": 1}) for i in jobs]
    assert await store.progress(notes) == []
    assert await rows(database, "SELECT job_id FROM jobs.progress") == [(other,)]
    assert await store.finish([Finish(job_id, boot, job.number, "succeeded")]) == {job_id}


async def test_claims_by_key_as_far_as_each_may_and_tells_who_has_more(database: Database, open_store: Open) -> None:
    store = await open_store()
    many = await add(database, 3, queue="a", key="many")
    (urgent,) = await add(database, 1, queue="a", key="many", priority=-1)
    (one,) = await add(database, 1, queue="a", key="one")
    (elsewhere,) = await add(database, 1, queue="b", key="many")
    (plain,) = await add(database, 1, queue="a")
    lines = [Line("a", "many", 2), Line("a", "one", 1), Line("a", "none", 9), Line("b", "many", 9)]
    claimed = await store.claim({"a": 9}, lines, base=100, node="n1")
    assert [job.id for job in claimed] == [plain, urgent, many[0], one, elsewhere]
    assert [job.number for job in claimed] == [101, 102, 103, 104, 105]
    assert [(job.key, job.more) for job in claimed] == [
        (None, False),
        ("many", True),
        ("many", True),
        ("one", False),
        ("many", False),
    ]
    assert {job.id: job.key for job in await store.held()}[urgent] == "many"
    assert await store.claim({"a": 9}, base=200, node="n1") == [], "a claim without keys finds none of theirs"


async def test_waiting_keys_are_found_in_order_and_in_portions(database: Database, open_store: Open) -> None:
    store = await open_store()
    for queue, key in (("b", "x"), ("a", "y"), ("a", "x"), ("a", "x"), ("b", None)):
        await add(database, 1, queue=queue, key=key)
    await add(database, 1, queue="c", key="later", run_at=datetime.now(UTC) + timedelta(hours=1))
    assert await store.waiting_keys(("", ""), 2) == [("a", "x"), ("a", "y")]
    assert await store.waiting_keys(("a", "y"), 2) == [("b", "x")]
    assert await store.waiting_keys(("b", "x"), 2) == []
    assert await store.waiting_queues() == ["b"]


async def test_staging_and_releasing_keep_the_key(database: Database, open_store: Open) -> None:
    boot = uuid4()
    store = await open_store(boot)
    await add(database, 2, queue="a", key="k", run_at=datetime.now(UTC) + timedelta(hours=1))
    await add(database, 1, queue="b", run_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await store.stage()).keys == ()
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET run_at = now()"))
    staged = await store.stage()
    assert (staged.queues, staged.keys) == (("b",), (("a", "k"),))
    first, second = await store.claim({}, [Line("a", "k", 2)], base=0, node="n")
    await store.release([Release(first.id, boot, first.number, 0.0)])
    await store.finish([Finish(second.id, boot, second.number, "succeeded")])
    assert await store.waiting_keys(("", ""), 9) == [("a", "k")]
    assert await rows(database, "SELECT id, key FROM jobs.history") == [(second.id, "k")]


async def test_a_claim_looks_at_the_keys_it_asks_for_and_not_at_what_waits(
    database: Database, open_store: Open
) -> None:
    store = await open_store()
    async with database.transaction() as session:
        await enqueue_many(
            session, [NewJob("k", queue="a", key=key) for key in ("busy", "quiet") for _ in range(3_000)]
        )
        await session.execute(text("ANALYZE jobs.queue"))
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("PREPARE claim AS " + CLAIM_KEYS))
        await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        given = f"0, '{store._boot}', '{{a}}', '{{1}}', 0, 'n', '{{a,a}}', '{{quiet,other}}', '{{2,2}}'"
        plan = "\n".join(
            row[0] for row in await session.execute(text(f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE claim({given})"))
        )
        await session.rollback()
    assert "ix_queue_turns" in plan
    assert "ix_queue_claim" in plan
    assert "Seq Scan on queue" not in plan
    assert "Sort" not in plan.split("CTE picked")[1].split("CTE claimed")[0], plan


async def test_after_a_reconnect_what_the_lost_connections_had_begun_is_waited_for(
    database: Database, open_store: Open
) -> None:
    boot = uuid4()
    store = await open_store(boot)
    await add(database, 1, queue="a")
    async with database.transaction() as stuck:  # a claim that goes on in the server after its connection was given up
        await stuck.execute(text("SELECT 1 FROM jobs.owners FOR SHARE"))
        await stuck.execute(
            text("UPDATE jobs.queue SET state = 'running', lease_owner = :b, lease_no = 1"), {"b": boot}
        )
        await store.reopen()
        waiting = asyncio.create_task(store.last_words())
        await eventually(lambda: somebody_waits(database))
        assert not waiting.done()
    await waiting
    assert len(await store.held()) == 1
    await open_store()
    with pytest.raises(Fenced):
        await store.last_words()


async def somebody_waits(database: Database) -> bool:
    return bool(await rows(database, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
