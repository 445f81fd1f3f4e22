"""Several jobs write one export: on one snapshot, each part once, whoever dies."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from actors.jobs.contract import LeasedJob, Outcome
from cluster.settings import Settings
from db.exports import service, storage
from db.exports.parts import KIND
from db.jobs.store import Release
from db.session import Database
from tasks.exports import part_jobs, progress, snapshot
from tasks.exports import run as run_module
from tests.fixtures.exports import INSERT_ORDERS, Shop
from tests.fixtures.jobs import Bench, Recorder
from tests.fixtures.waiting import eventually

ORDERS = 6_000
Step = Callable[..., Awaitable[Any]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"export_processes": 2})


class Crew:
    """An export's own job and its part job, each stopped where a test wants it."""

    def __init__(self, bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.shop = bench, shop
        self.export_id = UUID(int=0)
        self.started: list[tuple[str, int]] = []
        self.own_may_write, self.part_job_may_write, self.part_job_may_keep = (asyncio.Event() for _ in range(3))
        self.part_job_began, self.part_job_wrote = asyncio.Event(), asyncio.Event()
        own, theirs = run_module._write, part_jobs._write

        async def write(job: Any, run: Any, taken: Any, tell: Any) -> Any:
            await self.own_may_write.wait()
            self.started.append(("own", taken.number))
            return await own(job, run, taken, tell)

        async def write_part(job: Any, export: Any, taken: Any, path: Path) -> Any:
            self.started.append(("part job", taken.number))
            self.part_job_began.set()
            await self.part_job_may_write.wait()
            written = await theirs(job, export, taken, path)
            self.part_job_wrote.set()
            await self.part_job_may_keep.wait()
            return written

        monkeypatch.setattr(run_module, "_write", write)
        monkeypatch.setattr(part_jobs, "_write", write_part)

    async def start(self) -> tuple[LeasedJob, "asyncio.Task[Outcome]", LeasedJob, "asyncio.Task[Outcome]"]:
        """Both run, and the part job has a part."""
        await self.shop.open(ORDERS)
        self.export_id = await self.shop.request()
        (own,) = await self.bench.claim()
        owning = asyncio.create_task(self.bench.run(own, Recorder()))
        part_job = await self.claim_part_job()
        helping = asyncio.create_task(self.bench.run(part_job, Recorder()))
        await asyncio.wait_for(self.part_job_began.wait(), 30)
        return own, owning, part_job, helping

    async def claim_part_job(self) -> LeasedJob:
        async def claimed() -> LeasedJob | None:
            jobs = await self.bench.claim()
            assert {job.kind for job in jobs} <= {KIND}
            return jobs[0] if jobs else None

        return await eventually(claimed, 30)

    async def die(self, job: LeasedJob, running: "asyncio.Task[Outcome]", *, delay_s: float = 60.0) -> None:
        """Its worker is killed, and its agent says so."""
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await self.bench.store.release([Release(job.id, job.owner, job.number, delay_s)])

    def let_all_go_on(self) -> None:
        for event in (self.own_may_write, self.part_job_may_write, self.part_job_may_keep):
            event.set()

    async def manifest(self, settings: Settings) -> dict[str, Any]:
        """What was written: each row once, each file as the manifest says, and nothing else."""
        directory = storage.directory(settings, self.export_id)
        manifest: dict[str, Any] = json.loads((directory / storage.MANIFEST).read_text())
        names = [file["name"] for file in manifest["files"]]
        assert sorted(path.name for path in (directory / "data").iterdir()) == sorted(names)
        numbers: list[int] = []
        for file in manifest["files"]:
            table = pq.read_table(directory / "data" / file["name"])
            assert table.num_rows == file["rows"]
            numbers += table.column("order_number").to_pylist()
        assert len(numbers) == len(set(numbers)) == manifest["total_rows"] == ORDERS
        export = await self.shop.export(self.export_id)
        assert (export.state, export.manifest, export.part_job_ids) == ("succeeded", manifest, [])
        assert await self.count("app.export_parts") == 0
        return manifest

    async def count(self, table: str, where: str = "true") -> int:
        async with self.bench.database.transaction() as session:
            return int(await session.scalar(text(f"SELECT count(*) FROM {table} WHERE {where}")) or 0)


@pytest.fixture
def crew(bench: Bench, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Crew:
    monkeypatch.setattr(snapshot, "PART_BLOCKS", 20)
    monkeypatch.setattr(snapshot, "PART_ROWS", 1)
    monkeypatch.setattr(run_module, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(progress, "TELL_EVERY_S", 0.01)
    return Crew(bench, Shop(database, database_url), monkeypatch)


def writers(manifest: dict[str, Any]) -> set[str]:
    """Lease numbers in the files' names."""
    return {file["name"].split("-")[-2] for file in manifest["files"]}


async def test_all_write_what_one_snapshot_shows_while_rows_change(
    bench: Bench, crew: Crew, settings: Settings
) -> None:
    _, owning, part_job, helping = await crew.start()
    connection = await asyncpg.connect(crew.shop.url)
    await connection.execute("UPDATE app.orders SET note = note || '.' WHERE number % 3 = 0")
    await connection.execute(INSERT_ORDERS, crew.shop.user_id, 500)
    await connection.execute("DELETE FROM app.orders WHERE number % 5 = 0")
    await connection.close()
    crew.part_job_may_write.set()
    crew.part_job_may_keep.set()
    await eventually(lambda: Counter(who for who, _ in crew.started)["part job"] > 1, 30)
    crew.own_may_write.set()
    helped, outcome = await helping, await owning
    assert (outcome.state, helped.state) == ("succeeded", "succeeded"), (outcome.error, helped.error)
    assert helped.result["parts"] > 0
    manifest = await crew.manifest(settings)
    assert len(writers(manifest)) == 2
    assert len(crew.started) == len(set(crew.started)) == len(manifest["files"]), "a part was written twice"
    await bench.settle(part_job, helped)
    assert await bench.claim() == []


async def test_a_killed_part_worker_s_part_is_written_again_and_no_other(
    bench: Bench, crew: Crew, settings: Settings
) -> None:
    _, owning, part_job, helping = await crew.start()
    await crew.die(part_job, helping)
    crew.let_all_go_on()
    assert (await owning).state == "succeeded"
    manifest = await crew.manifest(settings)
    written = Counter(number for _, number in crew.started)
    assert sorted(written.values(), reverse=True)[:2] == [2, 1], written
    assert len(written) == len(manifest["files"])
    assert await bench.claim() == []  # it is wanted no more, and does not come back


async def test_a_killed_part_worker_s_next_attempt_takes_its_part_again(
    bench: Bench, crew: Crew, settings: Settings
) -> None:
    _, owning, part_job, helping = await crew.start()
    await crew.die(part_job, helping, delay_s=0.0)
    again = await crew.claim_part_job()
    assert (again.id, again.attempt) == (part_job.id, 2)
    crew.part_job_may_write.set()
    crew.part_job_may_keep.set()
    helping = asyncio.create_task(bench.run(again, Recorder()))
    await eventually(lambda: Counter(crew.started).most_common(1)[0][1] == 2, 30)
    crew.own_may_write.set()
    assert [(await helping).state, (await owning).state] == ["succeeded", "succeeded"]
    await crew.manifest(settings)


async def test_a_part_job_that_was_given_up_changes_nothing(bench: Bench, crew: Crew, settings: Settings) -> None:
    _, owning, part_job, helping = await crew.start()
    crew.part_job_may_write.set()
    await asyncio.wait_for(crew.part_job_wrote.wait(), 30)
    await bench.store.release([Release(part_job.id, part_job.owner, part_job.number, 60.0)])
    crew.own_may_write.set()
    assert (await owning).state == "succeeded"
    crew.part_job_may_keep.set()
    assert (await helping).state == "cancelled"
    assert str(part_job.number) not in writers(await crew.manifest(settings))


async def test_when_the_export_s_own_job_dies_its_next_attempt_begins_anew(
    bench: Bench, crew: Crew, settings: Settings
) -> None:
    own, owning, part_job, helping = await crew.start()
    await crew.die(own, owning, delay_s=0.0)
    crew.part_job_may_write.set()
    crew.part_job_may_keep.set()
    helped = await helping  # its snapshot is gone, and that is no failure of its own
    assert (helped.state, helped.result) == ("succeeded", {"parts": 0})
    await bench.settle(part_job, helped)
    crew.own_may_write.set()
    jobs = await bench.claim()
    assert [job.id for job in jobs] == [own.id]
    assert (await bench.run(jobs[0])).state == "succeeded"
    assert len(writers(await crew.manifest(settings))) == 1


async def test_what_a_part_job_wrote_for_an_attempt_that_died_is_not_used(
    bench: Bench, crew: Crew, settings: Settings
) -> None:
    own, owning, part_job, helping = await crew.start()
    crew.part_job_may_write.set()
    await asyncio.wait_for(crew.part_job_wrote.wait(), 30)
    await crew.die(own, owning, delay_s=0.0)
    crew.own_may_write.set()
    (again,) = await bench.claim()
    assert (await bench.run(again)).state == "succeeded"
    crew.part_job_may_keep.set()
    assert (await helping).state in ("succeeded", "cancelled")
    assert str(part_job.number) not in writers(await crew.manifest(settings))


@pytest.mark.parametrize("claimed", [True, False])
async def test_cancelling_ends_all_of_them(bench: Bench, crew: Crew, settings: Settings, claimed: bool) -> None:
    _, owning, part_job, helping = await crew.start()
    if not claimed:
        await crew.die(part_job, helping)
    async with bench.database.transaction() as session:
        assert (await service.cancel_export(session, crew.export_id)).state == "cancelled"
    # One that waits is gone, one that runs is told.
    assert await crew.count("jobs.jobs", f"kind = '{KIND}'") == int(claimed)
    assert await crew.count("jobs.cancellations", f"job_id = '{part_job.id}'") == int(claimed)
    crew.let_all_go_on()
    assert (await owning).state == "cancelled"  # neither had heard of it
    if claimed:
        await bench.settle(part_job, await helping)
    assert list((storage.directory(settings, crew.export_id) / "data").glob("*.parquet")) == []
    assert (await crew.shop.export(crew.export_id)).state == "cancelled"


async def test_an_export_over_its_budget_takes_its_part_jobs_along(
    bench: Bench, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BUDGET_S", -1.0)
    await crew.shop.open(ORDERS)
    export_id = await crew.shop.request()
    crew.own_may_write.set()
    assert await bench.drain() == [("exports.run", "refused")]
    export = await crew.shop.export(export_id)
    assert (export.state, len(export.part_job_ids)) == ("failed", 1)
    assert "snapshot" in (export.error or "")


async def test_a_part_job_that_cannot_write_leaves_its_part_to_others(
    bench: Bench, crew: Crew, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        _, owning, part_job, helping = await crew.start()
        broken.setattr(part_jobs, "write_part", full)
        crew.part_job_may_write.set()
        failed = await helping
    assert failed.state == "failed"
    assert "disk full" in failed.error
    await bench.settle(part_job, failed)
    crew.own_may_write.set()
    assert (await owning).state == "succeeded"
    await crew.manifest(settings)


async def test_files_that_cannot_be_seen_from_here_are_an_error(bench: Bench, crew: Crew, settings: Settings) -> None:
    _, owning, part_job, helping = await crew.start()
    crew.part_job_may_write.set()
    crew.part_job_may_keep.set()
    await eventually(lambda: Counter(who for who, _ in crew.started)["part job"] > 1, 30)
    (elsewhere, *_) = (storage.directory(settings, crew.export_id) / "data").glob(f"*-{part_job.number}-*.parquet")
    elsewhere.unlink()
    crew.own_may_write.set()
    await helping
    outcome = await owning
    assert outcome.state == "failed"
    assert "EXPORT_DIR must be storage that all share" in outcome.error


async def test_a_small_export_has_no_part_jobs(bench: Bench, crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PART_ROWS", ORDERS)
    await crew.shop.open(ORDERS)
    await crew.shop.request()
    planned = []
    monkeypatch.setattr(run_module.parts, "plan", lambda *args, **fields: planned.append(fields))
    crew.own_may_write.set()
    assert await bench.drain() == [("exports.run", "succeeded")]
    assert planned == []


async def test_a_part_job_of_an_export_that_is_gone_has_nothing_to_do(bench: Bench, crew: Crew) -> None:
    args = {"export_id": str(UUID(int=1)), "run": "0badcafe", "snapshot": "x"}
    await bench.enqueue(KIND, args)
    (job,) = await bench.claim()
    assert (await bench.run(job)).result == {"parts": 0}
