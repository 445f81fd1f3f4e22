"""Exports from request to files that others can read, while rows change."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, text

from actors.jobs.actor import QueueOwner
from actors.jobs.contract import LeasedJob
from cluster.settings import Settings
from db.errors import DatabaseUnavailable
from db.exports import service, storage
from db.exports.datasets import FORMATS, Scope
from db.jobs.service import retry_job
from db.jobs.store import Finish, Release
from db.notifications.models import Notification
from db.session import Database
from tasks.context import JobCancelled, JobContext, Refused
from tasks.exports import run as run_module
from tasks.exports import snapshot
from tasks.registry import REGISTRY
from tests.fixtures.exports import INSERT_ORDERS, Shop
from tests.fixtures.jobs import Bench, Recorder
from tests.fixtures.queue_owner import Agent


@pytest.fixture
def shop(database: Database, database_url: str) -> Shop:
    return Shop(database, database_url)


def data_dir(settings: Settings, export_id: UUID) -> Path:
    return storage.directory(settings, export_id) / "data"


@pytest.fixture
async def far_away(shop: Shop) -> AsyncIterator[str]:
    """The database's sessions are in a zone 14 hours ahead unless they say otherwise."""
    name = urlsplit(shop.url).path.strip("/")
    await shop.execute(f"""ALTER DATABASE "{name}" SET timezone TO 'Pacific/Kiritimati'""")
    yield "Pacific/Kiritimati"
    await shop.execute(f'ALTER DATABASE "{name}" RESET timezone')


@pytest.mark.parametrize("format", FORMATS)
async def test_moments_are_utc_whatever_the_server_s_zone(
    bench: Bench, shop: Shop, settings: Settings, far_away: str, format: str
) -> None:
    await shop.open(2)
    connection = await asyncpg.connect(shop.url)
    assert await connection.fetchval("SHOW timezone") == far_away
    await connection.close()
    # One on each side of midnight UTC, both on the second day in the server's zone.
    await shop.execute("UPDATE app.orders SET created_at = '2026-01-01 23:30:00+00' WHERE (number % 2) = 0")
    await shop.execute("UPDATE app.orders SET created_at = '2026-01-02 00:30:00+00' WHERE (number % 2) = 1")
    export_id = await shop.request(format=format, filters={"created_from": "2026-01-02"})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "succeeded", outcome.error
    assert await bench.settle(job, outcome)
    manifest = (await shop.export(export_id)).manifest or {}
    assert manifest["total_rows"] == 1
    path = data_dir(settings, export_id) / manifest["files"][0]["name"]
    assert {file.stat().st_mode & 0o777 for file in (path, path.parent.parent / storage.MANIFEST)} == {0o600}
    if format in ("csv", "ndjson"):
        assert {"csv": "2026-01-02 00:30:00+00", "ndjson": "2026-01-02T00:30:00+00:00"}[format] in path.read_text()
        return
    table = pq.read_table(path) if format == "parquet" else pa.ipc.open_file(path).read_all()
    assert table.column("created_at").to_pylist() == [datetime(2026, 1, 2, 0, 30, tzinfo=UTC)]


async def test_a_parquet_export_shows_one_moment_while_rows_change(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PART_BLOCKS", 40)
    monkeypatch.setattr(snapshot, "PART_ROWS", 1)
    await shop.open(20_000)
    export_id = await shop.request()
    stop = asyncio.Event()

    async def keep_changing() -> int:
        connection = await asyncpg.connect(shop.url)
        changes = 0
        while not stop.is_set():
            await connection.execute("UPDATE app.orders SET note = note || '.' WHERE number % 7 = $1", changes % 7)
            await connection.execute(INSERT_ORDERS, shop.user_id, 50)
            changes += 1
        await connection.close()
        return changes

    changing = asyncio.create_task(keep_changing())
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    stop.set()
    assert await changing > 0
    assert outcome.state == "succeeded", outcome.error
    assert await bench.settle(job, outcome)

    export = await shop.export(export_id)
    manifest = json.loads((storage.directory(settings, export_id) / storage.MANIFEST).read_text())
    assert export.manifest == manifest
    assert len(manifest["files"]) > 1
    tables = []
    for file in manifest["files"]:
        path = data_dir(settings, export_id) / file["name"]
        content = path.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        tables.append(pq.read_table(path))
        assert tables[-1].num_rows == file["rows"]
    table = pa.concat_tables(tables)
    rows = manifest["total_rows"]
    assert rows == table.num_rows == export.rows_done
    assert rows % 50 == 0
    assert rows >= 20_000
    numbers = table.column("order_number").to_pylist()
    assert len(set(numbers)) == rows, "a row is in it twice"
    assert table.schema.field("total_amount").type == pa.decimal128(12, 2)
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert table.column("total_amount")[0].as_py() % 1 == Decimal("0.10")
    assert table.column("user_id")[0].as_py() == shop.user_id
    assert (
        pq.ParquetFile(data_dir(settings, export_id) / manifest["files"][0]["name"])
        .metadata.row_group(0)
        .column(0)
        .compression
        == "ZSTD"
    )
    assert export.state == "succeeded"


@pytest.mark.parametrize("format", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("scope", "filters", "expected"),
    [
        ("own", {}, 8),
        ("all", {}, 12),
        ("all", {"status": "paid"}, 3),
        ("own", {"created_from": "2999-01-01"}, 0),
    ],
)
async def test_rows_are_those_the_requester_may_see_and_asked_for(
    bench: Bench, shop: Shop, settings: Settings, scope: Scope, filters: dict[str, str], expected: int, format: str
) -> None:
    await shop.open(4)
    await shop.open(8)
    export_id = await shop.request(scope=scope, filters=filters, format=format)
    await bench.drain()
    export = await shop.export(export_id)
    assert (export.state, export.rows_done, export.rows_total) == ("succeeded", expected, expected)
    (path,) = list(data_dir(settings, export_id).iterdir())
    if format == "parquet":
        assert pq.read_table(path).num_rows == expected
        assert pq.read_schema(path).names[0] == "order_id"
    else:
        assert len(path.read_text().splitlines()) == expected + 1


async def test_progress_is_told_and_published(bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PART_BLOCKS", 10)
    monkeypatch.setattr(snapshot, "PART_ROWS", 1)
    monkeypatch.setattr("tasks.exports.progress.TELL_EVERY_S", 0.002)
    await shop.open(5_000)
    export_id = await shop.request()
    await bench.drain()
    shown = bench.recorder.progress
    assert shown
    assert [note["rows"] for note in shown] == sorted(note["rows"] for note in shown)
    assert all(note["total"] == 5_000 and note["percent"] <= 99.0 for note in shown)
    channel, data = bench.recorder.published[0]
    assert channel == f"exports:progress#{shop.user_id}"
    message = json.loads(data)
    assert (message["type"], message["export_id"], message["state"]) == ("export.progress", str(export_id), "running")
    async with bench.database.transaction() as session:
        outbox = (
            await session.execute(text("SELECT data FROM app.outbox WHERE channel = :c ORDER BY id"), {"c": channel})
        ).scalars()
        assert [row["state"] for row in map(as_json, outbox)] == ["queued", "running", "succeeded"]


def as_json(value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = value if isinstance(value, dict) else json.loads(value)
    return loaded


@pytest.mark.parametrize("told", [True, False])
async def test_a_cancelled_export_stops_and_leaves_nothing(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """However late the attempt hears of it: it is not told, and finds out when it wants to finish."""
    monkeypatch.setattr("tasks.exports.progress.TELL_EVERY_S", 0.01)
    await shop.open(200)
    export_id = await shop.request()
    write = run_module._write

    async def cancel_in_the_middle(*args: Any) -> Any:
        async with bench.database.transaction() as session:
            assert (await service.cancel_export(session, export_id)).state == "cancelled"
        bench.recorder.stop = told
        return await write(*args)

    monkeypatch.setattr(run_module, "_write", cancel_in_the_middle)
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "cancelled"
    assert (await shop.export(export_id)).state == "cancelled"
    assert list(data_dir(settings, export_id).iterdir()) == []
    assert not (storage.directory(settings, export_id) / storage.MANIFEST).exists()
    assert await bench.settle(job, outcome)


async def test_an_export_that_was_cancelled_before_its_attempt_began_is_not_run(
    bench: Bench, shop: Shop, settings: Settings
) -> None:
    await shop.open(1)
    export_id = await shop.request()
    (job,) = await bench.claim()
    async with bench.database.transaction() as session:
        await service.cancel_export(session, export_id)
    assert (await bench.run(job)).state == "cancelled"
    assert not storage.directory(settings, export_id).exists()


async def test_files_of_an_attempt_whose_lease_is_over_are_removed_all_the_same(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent lost patience and the job has ended; the worker hears of it only now."""
    monkeypatch.setattr("tasks.exports.progress.TELL_EVERY_S", 0.01)
    await shop.open(200)
    export_id = await shop.request()
    (job,) = await bench.claim()
    write = run_module._write

    async def too_late(*args: Any) -> Any:
        await write(*args)
        assert await bench.store.finish([finish(job)])
        raise JobCancelled

    monkeypatch.setattr(run_module, "_write", too_late)
    assert (await bench.run(job)).state == "cancelled"
    assert list(data_dir(settings, export_id).iterdir()) == []


async def test_a_waiting_export_is_cancelled_at_once(bench: Bench, shop: Shop) -> None:
    await shop.open(1)
    export_id = await shop.request()
    async with bench.database.transaction() as session:
        assert (await service.cancel_export(session, export_id)).state == "cancelled"
    assert await bench.drain() == []


async def test_an_attempt_that_was_given_up_changes_nothing_and_the_next_one_finishes(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker stalls in the middle, its job is rescued and finished by another, then it wakes up."""
    await shop.open(500)
    export_id = await shop.request()
    stalled, wake_up = asyncio.Event(), asyncio.Event()
    write = run_module._write

    async def stall_once(job: Any, *args: Any) -> Any:
        file = await write(job, *args)
        if job.attempt == 1:
            stalled.set()
            await wake_up.wait()
        return file

    monkeypatch.setattr(run_module, "_write", stall_once)
    (first,) = await bench.claim()
    zombie = asyncio.create_task(bench.run(first, Recorder()))
    await asyncio.wait_for(stalled.wait(), 30)
    left_behind = [path.name for path in data_dir(settings, export_id).iterdir()]
    await bench.store.release([release(first)])
    (second,) = await bench.claim()
    outcome = await bench.run(second)
    assert outcome.state == "succeeded", outcome.error
    assert await bench.settle(second, outcome)
    manifest = (storage.directory(settings, export_id) / storage.MANIFEST).read_bytes()

    wake_up.set()
    late = await zombie
    assert late.state == "cancelled"
    assert not await bench.store.finish([finish(first)])
    assert (storage.directory(settings, export_id) / storage.MANIFEST).read_bytes() == manifest
    names = [path.name for path in data_dir(settings, export_id).iterdir()]
    assert names == [file["name"] for file in json.loads(manifest)["files"]]
    assert not set(names) & set(left_behind)
    assert (await shop.export(export_id)).state == "succeeded"


def release(job: LeasedJob) -> Release:
    return Release(job.id, job.owner, job.number, 0.0)


def finish(job: LeasedJob) -> Finish:
    return Finish(job.id, job.owner, job.number, "succeeded")


async def test_a_failure_is_tried_again_and_the_last_one_is_told(
    bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(1)
    export_id = await shop.request()

    def broken(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("tasks.exports.parquet.write_part", broken)
    (job,) = await bench.claim()
    await bench.settle(job, await bench.run(job))
    assert (await shop.export(export_id)).state == "running"
    for _ in range(4):
        await bench.drain(time_passes=True)
    export = await shop.export(export_id)
    assert export.state == "failed"
    assert "disk full" in (export.error or "")


async def test_an_export_that_needs_its_snapshot_for_too_long_is_refused(
    bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BUDGET_S", -1.0)
    monkeypatch.setattr("tasks.exports.progress.TELL_EVERY_S", 0.001)
    await shop.open(5_000)
    export_id = await shop.request()
    assert await bench.drain() == [("exports.run", "refused")]
    export = await shop.export(export_id)
    assert export.state == "failed"
    assert "snapshot" in (export.error or "")


async def test_the_owner_of_the_export_is_notified(bench: Bench, shop: Shop) -> None:
    await shop.open(2)
    export_id = await shop.request()
    await bench.drain()
    async with bench.database.transaction() as session:
        (notice,) = (await session.scalars(select(Notification).where(Notification.user_id == shop.user_id))).all()
    assert (notice.kind, notice.data["export_id"], notice.data["rows"]) == ("export.ready", str(export_id), 2)


async def test_an_operator_s_retry_of_a_failed_export_runs_it(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(10)
    export_id = await shop.request()

    async def refuse(*args: Any) -> None:
        raise Refused("not today")

    with monkeypatch.context() as broken:
        broken.setattr(run_module, "_write", refuse)
        assert await bench.drain() == [("exports.run", "refused")]
    failed = await shop.export(export_id)
    assert (failed.state, failed.error) == ("failed", "not today")
    async with bench.database.transaction() as session:
        again = await retry_job(session, failed.job_id)
    assert await bench.drain() == [("exports.run", "succeeded")]
    done = await shop.export(export_id)
    assert (done.state, done.error, done.job_id, done.rows_done) == ("succeeded", None, again.id, 10)


async def test_two_jobs_never_run_one_export(bench: Bench, shop: Shop) -> None:
    await shop.open(10)
    export_id = await shop.request()
    await bench.enqueue("exports.run", {"export_id": str(export_id)})
    assert sorted(await bench.drain()) == [("exports.run", "refused"), ("exports.run", "succeeded")]


async def test_an_outage_in_the_last_attempt_does_not_end_the_export(
    bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.open(10)
    export_id = await shop.request()

    async def away(*args: Any) -> None:
        raise DatabaseUnavailable

    (job,) = await bench.claim()
    last = msgspec.structs.replace(job, attempt=job.max_attempts)
    with monkeypatch.context() as outage:
        outage.setattr(run_module, "_write", away)
        outcome = await bench.run(last)
    assert outcome.state == "unavailable"
    assert await bench.settle(last, outcome)
    assert (await shop.export(export_id)).state == "running"
    assert await bench.drain(time_passes=True) == [("exports.run", "succeeded")]


@pytest.mark.parametrize("lost", [DatabaseUnavailable, OSError])
async def test_an_export_that_succeeded_keeps_its_files_when_it_does_not_hear_of_it(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, lost: type[Exception]
) -> None:
    """The connection is lost between the commit and its answer."""
    await shop.open(10)
    export_id = await shop.request()
    transaction, finish_export = JobContext.transaction, service.finish
    finished: list[object] = []

    async def note(*args: Any, **fields: Any) -> Any:
        finished.append(args[0])
        return await finish_export(*args, **fields)

    @asynccontextmanager
    async def deaf(context: JobContext) -> AsyncIterator[Any]:
        async with transaction(context) as session:
            yield session
        if session in finished:
            raise lost

    (job,) = await bench.claim()
    with monkeypatch.context() as network:
        network.setattr(service, "finish", note)
        network.setattr(JobContext, "transaction", deaf)
        outcome = await bench.run(job)
    assert outcome.state in ("unavailable", "failed")
    await bench.settle(job, outcome)
    assert await bench.drain(time_passes=True) == [("exports.run", "succeeded")]
    export = await shop.export(export_id)
    assert export.state == "succeeded"
    names = [file["name"] for file in (export.manifest or {})["files"]]
    assert [path.name for path in data_dir(settings, export_id).iterdir()] == names


@pytest.mark.parametrize(("scope", "state"), [("all", "refused"), ("own", "succeeded")])
async def test_who_lost_the_right_while_it_waited_gets_nobody_else_s_rows(
    bench: Bench, shop: Shop, settings: Settings, scope: Scope, state: str
) -> None:
    await shop.open(3)
    export_id = await shop.request(scope=scope)
    await shop.execute(
        "DELETE FROM auth.role_permissions p USING auth.roles r"
        " WHERE r.id = p.role_id AND r.name = 'analyst' AND p.permission = 'orders:read_all'"
    )
    assert await bench.drain() == [("exports.run", state)]
    export = await shop.export(export_id)
    assert export.state == ("failed" if state == "refused" else state)
    if state == "refused":
        assert "everybody's rows" in (export.error or "")
        assert not data_dir(settings, export_id).exists()


async def test_who_asks_for_several_exports_keeps_nobody_waiting_for_all_of_them(bench: Bench, shop: Shop) -> None:
    many = await shop.open(1)
    several = [await many.request() for _ in range(3)]
    other = await Shop(bench.database, shop.url).open(1, forget_jobs=False)
    single = await other.request()
    owner = QueueOwner(0, 1, bench.settings, registry=REGISTRY)
    await owner.start()
    agent = Agent(owner)
    agent.capacity = {"exports": 1}
    order = []
    while len(order) < 4:
        for job in (await agent.poll()).jobs:
            order.append(UUID(job.args["export_id"]))
            await agent.finish(job)
    agent.capacity = {"exports": 9}
    for _ in range(3):
        await bench.enqueue("exports.run", {}, queue="exports", key="somebody")
    held = (await agent.poll()).jobs
    await owner.stop()
    assert len(held) == 2, "not all places to one person"
    assert order == [several[0], single, several[1], several[2]]
