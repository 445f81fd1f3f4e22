"""Exports that ended without a word, and files whose time is over."""

import shutil
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import text

from actors.jobs.contract import Outcome, Token
from cluster.settings import Settings
from db.exports import service, storage
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench


async def request(bench: Bench) -> UUID:
    async with bench.database.transaction() as session:
        user = await make_user(session)
        await session.execute(text("TRUNCATE jobs.jobs, jobs.queue"))
        return (await service.request_export(session, user_id=user.id, dataset="orders", format="csv")).id


async def state(bench: Bench, export_id: UUID) -> str:
    async with bench.database.transaction() as session:
        return (await service.get_export(session, export_id)).state


async def reconcile(bench: Bench) -> int:
    await bench.enqueue("exports.reconcile", {}, queue="solo")
    rows = await bench.claim()
    (job,) = [job for job in rows if job.kind == "exports.reconcile"]
    outcome = await bench.run(job)
    await bench.settle(job, outcome)
    return int(outcome.result["ended"])


async def test_an_export_whose_worker_was_killed_too_often_fails_visibly(bench: Bench) -> None:
    export_id = await request(bench)
    assert await reconcile(bench) == 0  # its job is alive (and now leased to this bench, which will kill it)
    for attempt in range(1, 6):
        async with bench.database.transaction() as session:
            await session.execute(
                text("UPDATE jobs.queue SET state = 'running', attempt = :a, lease_owner = :o, lease_no = 900"),
                {"a": attempt, "o": bench.boot},
            )
        job_id = await bench_job(bench)
        from actors.jobs.policy import Attempt, decide
        from db.jobs.store import Finish, Release
        from tasks.registry import REGISTRY

        outcome = Outcome(token=Token(job_id, bench.boot, 900), state="died", error="SIGKILL")
        decision = decide(outcome, Attempt(job_id, bench.boot, 900, attempt, 5), REGISTRY.kinds["exports.run"], 0.5)
        if isinstance(decision, Release):
            await bench.store.release([decision])
        else:
            assert isinstance(decision, Finish)
            await bench.store.finish([decision])
    assert await state(bench, export_id) == "queued"
    assert await reconcile(bench) == 1
    assert await state(bench, export_id) == "failed"
    assert await reconcile(bench) == 0


async def bench_job(bench: Bench) -> UUID:
    async with bench.database.transaction() as session:
        return UUID(str(await session.scalar(text("SELECT id FROM jobs.jobs WHERE kind = 'exports.run'"))))


async def test_what_a_killed_worker_left_of_a_cancelled_export_is_deleted_once_its_job_is_over(
    bench: Bench, settings: Settings
) -> None:
    export_id = await request(bench)
    (job,) = await bench.claim()
    async with bench.database.transaction() as session:
        await service.cancel_export(session, export_id)
    left = storage.directory(settings, export_id) / "data" / "orders-part-00000-1.parquet.partial"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert await reconcile(bench) == 0
    assert left.exists()  # the worker may still run
    await bench.settle(job, Outcome(token=Token(job.id, job.owner, job.number), state="cancelled"))
    assert await reconcile(bench) == 0
    assert not left.exists()


async def test_expired_exports_lose_their_files_and_strangers_are_swept(bench: Bench, settings: Settings) -> None:
    old, kept = await request(bench), await request(bench)
    await bench.drain()
    assert (await state(bench, old), await state(bench, kept)) == ("queued", "succeeded")  # the first lost its job
    async with bench.database.transaction() as session:
        await session.execute(
            text("UPDATE app.exports SET state = 'succeeded', expires_at = now() - interval '1 s' WHERE id = :i"),
            {"i": old},
        )
    stranger, deleted, theirs = uuid4(), uuid4(), uuid4()
    for export_id in (old, stranger, deleted, theirs):
        (storage.directory(settings, export_id) / "data").mkdir(parents=True, exist_ok=True)
    ours = storage.directory(settings, kept) / storage.OWNER
    shutil.copy(ours, storage.directory(settings, deleted))
    (storage.directory(settings, theirs) / storage.OWNER).write_text(str(uuid4()))
    (storage.root(settings) / "notes.txt").write_text("not ours")
    await bench.enqueue("exports.prune", {}, queue="solo")
    assert await bench.drain() == [("exports.prune", "succeeded")]
    assert await state(bench, old) == "expired"
    names = {path.name for path in Path(storage.root(settings)).iterdir()}
    assert names == {str(kept), str(theirs), "notes.txt"}, "what another stack with the same EXPORT_DIR made is kept"
