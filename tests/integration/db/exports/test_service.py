"""Requests for exports and their states."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.errors import InvalidInput
from db.exports import service
from db.exports.errors import (
    ExportEnded,
    ExportFileNotFound,
    ExportNotFound,
    ExportNotReady,
    InvalidExportFilter,
    TooManyExports,
    UnknownDataset,
)
from db.exports.parts import FinishedFile
from db.session import Database
from tests.factories.auth import make_user


async def user(database: Database) -> UUID:
    async with database.transaction() as session:
        return (await make_user(session)).id


async def request(database: Database, user_id: UUID) -> UUID:
    async with database.transaction() as session:
        return (await service.request_export(session, user_id=user_id, dataset="orders", format="csv")).id


async def test_a_request_is_a_row_a_job_and_a_publication(database: Database) -> None:
    user_id = await user(database)
    export_id = await request(database, user_id)
    async with database.transaction() as session:
        export = await service.get_export(session, export_id, user_id=user_id)
        job = (
            await session.execute(text("SELECT kind, queue, args, user_id, id FROM jobs.jobs WHERE kind LIKE 'exp%'"))
        ).one()
        channel = await session.scalar(text("SELECT channel FROM app.outbox"))
    assert (export.state, export.scope, export.rows_done) == ("queued", "own", 0)
    assert tuple(job) == ("exports.run", "exports", {"export_id": str(export_id)}, user_id, export.job_id)
    assert channel == f"exports:progress#{user_id}"


async def test_others_do_not_see_it(database: Database) -> None:
    export_id = await request(database, await user(database))
    async with database.transaction() as session:
        with pytest.raises(ExportNotFound):
            await service.get_export(session, export_id, user_id=uuid4())
        assert (await service.list_exports(session, user_id=uuid4())).total == 0
        assert (await service.list_exports(session, user_id=None)).total == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dataset": "passwords"}, UnknownDataset),
        ({"format": "exe"}, InvalidInput),
        ({"filters": {"status": "x"}}, InvalidExportFilter),
    ],
)
async def test_what_is_not_offered_is_refused_before_anything_is_written(
    database: Database, fields: dict[str, object], error: type[Exception]
) -> None:
    user_id = await user(database)
    given = {"user_id": user_id, "dataset": "orders", "format": "csv"} | fields
    with pytest.raises(error):
        async with database.transaction() as session:
            await service.request_export(session, **given)  # type: ignore[arg-type]


async def test_one_person_cannot_take_every_slot_not_even_at_once(database: Database) -> None:
    user_id = await user(database)
    results = await asyncio.gather(*(request(database, user_id) for _ in range(8)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, TooManyExports)]
    assert len(refused) == 8 - service.MAX_UNFINISHED_PER_USER
    other = await user(database)
    assert isinstance(await request(database, other), UUID)


async def test_files_are_there_when_it_succeeded_and_not_before(database: Database) -> None:
    user_id = await user(database)
    export_id = await request(database, user_id)
    async with database.transaction() as session:
        export = await service.start(session, export_id, rows_total=5)
        assert (export.state, export.rows_total) == ("running", 5)
        with pytest.raises(ExportNotReady):
            await service.get_file(session, export, "a")
    async with database.transaction() as session:
        files = [FinishedFile("a", 2, 20, "aa"), FinishedFile("b", 3, 30, "bb")]
        export = await service.finish(session, export_id, manifest={"x": 1}, files=files)
        assert (export.state, export.rows_done) == ("succeeded", 5)
        assert (await service.get_file(session, export, "b")).sha256 == "bb"
        with pytest.raises(ExportFileNotFound):
            await service.get_file(session, export, "c")
        with pytest.raises(ExportEnded):
            await service.cancel_export(session, export_id, user_id=user_id)
        assert [file.name for file in await service.list_files(session, export_id)] == ["a", "b"]
    async with database.transaction() as session:
        await service.end(session, export_id, state="failed", error="too late")
    async with database.transaction() as session:
        assert (await service.get_export(session, export_id)).state == "succeeded"
        assert await service.expire(session) == []
        await session.execute(text("UPDATE app.exports SET expires_at = now() - interval '1 s'"))
        assert await service.expire(session) == [export_id]
        assert await service.known_exports(session, [export_id, uuid4()]) == {export_id: "expired"}


async def test_a_cancelled_export_has_ended_whatever_its_worker_still_says(database: Database) -> None:
    user_id = await user(database)
    export_id = await request(database, user_id)
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET state = 'running'"))
        await service.start(session, export_id, rows_total=5)
    async with database.transaction() as session:
        export = await service.cancel_export(session, export_id)
        assert (export.state, export.finished_at is not None) == ("cancelled", True)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT job_id FROM jobs.cancellations")) == export.job_id
        with pytest.raises(ExportEnded):
            await service.start(session, export_id, rows_total=5)
        with pytest.raises(ExportEnded):
            await service.finish(session, export_id, manifest={}, files=[FinishedFile("a", 5, 20, "aa")])
        with pytest.raises(ExportEnded):
            await service.cancel_export(session, export_id)
        assert (await service.get_export(session, export_id)).state == "cancelled"


async def test_a_worker_that_hangs_with_the_export_locked_does_not_hold_up_who_cancels(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(service, "RECONCILE_AFTER", timedelta(0))
    export_id = await request(database, await user(database))
    async with database.transaction() as hanging:
        await hanging.execute(text("UPDATE jobs.queue SET state = 'running'"))
        await hanging.commit()
        await service.start(hanging, export_id, rows_total=5)
        async with database.transaction() as session:
            export = await service.cancel_export(session, export_id)
            assert export.state == "queued"  # as far as anybody but the worker knows
            assert await session.scalar(text("SHOW lock_timeout")) == "0"
        async with database.transaction() as session:
            assert await session.scalar(text("SELECT job_id FROM jobs.cancellations")) == export.job_id
            kinds = (await session.execute(text("SELECT kind FROM jobs.jobs"))).scalars().all()
            assert service.RECONCILE_KIND in kinds
        await hanging.rollback()  # the worker is ended, and its job with it
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM jobs.jobs WHERE kind = 'exports.run'"))
        assert await service.end_orphans(session) == 1


@pytest.mark.parametrize(
    ("rows", "total", "state", "shown"),
    [
        (0, None, "queued", 0.0),
        (1, 3, "running", 33.3),
        (3, 3, "running", 99.0),
        (9, 3, "running", 99.0),
        (0, 0, "succeeded", 100.0),
    ],
)
def test_only_a_finished_export_shows_100_percent(rows: int, total: int | None, state: str, shown: float) -> None:
    assert service.percent(rows, total, state) == shown
