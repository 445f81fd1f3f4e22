"""Who has which part of an export, and which are written."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.exports import parts, service
from db.exports.parts import FinishedFile, TakenPart
from db.session import Database
from tests.factories.auth import make_user

RUN, OTHER_RUN = "0badcafe", "deadbeef"
RANGES = [(0, 10), (10, 20), (20, 25)]


@pytest.fixture
async def export_id(database: Database) -> UUID:
    async with database.transaction() as session:
        user = await make_user(session)
        made = await service.request_export(session, user_id=user.id, dataset="orders", format="csv")
    async with database.transaction() as session:
        export = await service.start(session, made.id, rows_total=30)
        await parts.plan(session, export, run=RUN, snapshot="0-1", ranges=RANGES, jobs=2)
    return made.id


async def part_jobs(database: Database, export_id: UUID) -> list[UUID]:
    async with database.transaction() as session:
        return (await service.get_export(session, export_id)).part_job_ids


async def run(database: Database, *job_ids: UUID) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'running' WHERE id = ANY (CAST(:ids AS uuid[]))"), {"ids": [*job_ids]}
        )


async def take(database: Database, export_id: UUID, job_id: UUID, name: str = RUN) -> TakenPart | None:
    async with database.transaction() as session:
        return await parts.take(session, export_id, name, job_id)


async def keep(database: Database, export_id: UUID, job_id: UUID, number: int, name: str = RUN) -> bool:
    async with database.transaction() as session:
        return await parts.keep(session, export_id, name, job_id, number, FinishedFile(f"f{number}", 10, 5, "aa"))


async def test_whoever_is_free_takes_the_next_and_all_are_written_once(database: Database, export_id: UUID) -> None:
    jobs = await part_jobs(database, export_id)
    await run(database, *jobs)
    taken = await asyncio.gather(*(take(database, export_id, job) for job in jobs))
    assert {part.blocks for part in taken if part} == {(0, 10), (10, 20)}
    first, second = (part for part in taken if part)
    assert await take(database, export_id, jobs[0]) == first  # not written yet: it is still its own
    assert await keep(database, export_id, jobs[0], first.number)
    assert not await keep(database, export_id, jobs[0], first.number)  # once
    assert not await keep(database, export_id, jobs[0], second.number)  # another's
    assert await take(database, export_id, jobs[0]) == TakenPart(2, (20, 25))
    async with database.transaction() as session:
        assert await parts.count_unwritten(session, export_id, RUN) == 2
    assert await keep(database, export_id, jobs[0], 2)
    assert await take(database, export_id, jobs[0]) is None
    assert await keep(database, export_id, jobs[1], second.number)
    async with database.transaction() as session:
        assert await parts.count_unwritten(session, export_id, RUN) == 0
        written = await parts.list_written(session, export_id, RUN)
    assert [(part.file.name, part.blocks) for part in written] == [(f"f{n}", blocks) for n, blocks in enumerate(RANGES)]


async def test_who_does_not_run_any_more_has_lost_its_part(database: Database, export_id: UUID) -> None:
    first, second = await part_jobs(database, export_id)
    await run(database, first, second)
    mine = await take(database, export_id, first)
    assert mine is not None
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET state = 'deferred' WHERE id = :id"), {"id": first})
    assert await take(database, export_id, second) == mine
    assert not await keep(database, export_id, first, mine.number)
    assert await keep(database, export_id, second, mine.number)


async def test_parts_of_another_run_are_nobody_s(database: Database, export_id: UUID) -> None:
    job, _ = await part_jobs(database, export_id)
    assert await take(database, export_id, job, OTHER_RUN) is None
    mine = await take(database, export_id, job)
    assert mine is not None
    assert not await keep(database, export_id, job, mine.number, OTHER_RUN)
    async with database.transaction() as session:
        export = await service.start(session, export_id, rows_total=30)
        await parts.plan(session, export, run=OTHER_RUN, snapshot="0-2", ranges=RANGES[:2], jobs=1)
    assert not await keep(database, export_id, job, mine.number)
    assert len(await part_jobs(database, export_id)) == 1
    async with database.transaction() as session:  # those of the first run are ended
        assert await session.scalar(text("SELECT count(*) FROM jobs.jobs WHERE kind = :k"), {"k": parts.KIND}) == 1


async def test_rows_of_others_are_what_they_wrote_and_what_they_last_said(database: Database, export_id: UUID) -> None:
    first, second = await part_jobs(database, export_id)
    own = uuid4()
    await run(database, first, second)
    one, two = await take(database, export_id, first), await take(database, export_id, second)
    assert one is not None
    assert two is not None
    assert await keep(database, export_id, first, one.number)

    async def say(part: int) -> int:
        async with database.transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO jobs.progress (job_id, progress)"
                    " VALUES (:id, jsonb_build_object('part', CAST(:part AS int), 'rows', 7))"
                    " ON CONFLICT (job_id) DO UPDATE SET progress = excluded.progress"
                ),
                {"id": second, "part": part},
            )
            return await parts.count_rows_of_others(session, export_id, RUN, own)

    assert await say(two.number) == 10 + 7
    assert await say(99) == 10  # of a part before this one, which is counted already
    async with database.transaction() as session:
        assert await parts.count_rows_of_others(session, export_id, RUN, first) == 0


async def test_they_are_wanted_while_the_export_s_own_job_runs(database: Database, export_id: UUID) -> None:
    async with database.transaction() as session:
        own = (await service.get_export(session, export_id)).job_id
        assert own is not None
        assert not await parts.are_wanted(session, export_id, RUN)
    await run(database, own)
    async with database.transaction() as session:
        assert await parts.are_wanted(session, export_id, RUN)
        assert not await parts.are_wanted(session, export_id, OTHER_RUN)
        await service.end(session, export_id, state="failed")
        assert not await parts.are_wanted(session, export_id, RUN)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_part_jobs_end_with_their_export(database: Database, export_id: UUID, state: str) -> None:
    waiting, running = await part_jobs(database, export_id)
    await run(database, running)
    async with database.transaction() as session:
        await service.end(session, export_id, state=state)
    async with database.transaction() as session:
        alive = (await session.scalars(text("SELECT id FROM jobs.jobs WHERE kind = :k"), {"k": parts.KIND})).all()
        assert alive == [running] != [waiting]
        assert (await session.scalars(text("SELECT job_id FROM jobs.cancellations"))).all() == [running]
        # Its files are not swept while one of them may still write.
        await session.execute(text("DELETE FROM jobs.jobs WHERE kind = 'exports.run'"))
        assert await service.list_leavings(session) == []
        await session.execute(text("DELETE FROM jobs.jobs"))
        assert await service.list_leavings(session) == [export_id]
