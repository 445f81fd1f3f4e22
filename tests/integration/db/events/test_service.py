"""Domain events and the partitioned analytics stream."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import pytest
from sqlalchemy import text

from db.effects import JobsEnqueued
from db.errors import DomainError
from db.events import service
from db.events.event import DomainEvent, UnknownEvent
from db.events.service import EventNotFound, NewAnalyticsEvent
from db.session import Database, recorded_effects
from tests.fixtures.transactions import in_transaction, refused, rows, value


class KettleBoiled(DomainEvent):
    type: ClassVar[str] = "test.kettle_boiled"

    degrees: int


async def test_an_event_is_stored_with_its_actor_and_its_dispatch_job(database: Database) -> None:
    actor = uuid4()
    async with database.transaction(acting_user_id=actor) as session:
        event_id = await service.record(session, KettleBoiled(degrees=100))
        assert any(isinstance(effect, JobsEnqueued) for effect in recorded_effects(session))
    stored = await in_transaction(database, lambda s: service.load(s, event_id))
    assert (stored.event, stored.actor_id) == (KettleBoiled(degrees=100), actor)
    assert await rows(database, "SELECT kind, args FROM jobs.jobs") == [
        ("events.dispatch", {"event_id": str(event_id)})
    ]


async def test_an_event_of_a_transaction_that_failed_never_happened(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await service.record(session, KettleBoiled(degrees=100))
            raise DomainError

    with pytest.raises(DomainError):
        await fail()
    assert await value(database, "SELECT count(*) FROM app.domain_events") == 0
    assert await value(database, "SELECT count(*) FROM jobs.jobs") == 0


async def test_missing_and_unknown_events_are_told_apart(database: Database) -> None:
    await refused(database, EventNotFound, lambda s: service.load(s, uuid4()))
    async with database.transaction() as session:
        event_id = await session.scalar(
            text("INSERT INTO app.domain_events (type) VALUES ('from.future') RETURNING id")
        )
    await refused(database, UnknownEvent, lambda s: service.load(s, event_id))


async def test_each_subscriber_handles_an_event_once_and_again_after_a_failure(database: Database) -> None:
    event_id = await in_transaction(database, lambda s: service.record(s, KettleBoiled(degrees=100)))

    async def fail() -> None:
        async with database.transaction() as session:
            assert await service.claim_delivery(session, event_id, "mail")
            raise DomainError

    with pytest.raises(DomainError):
        await fail()
    claims = await asyncio.gather(
        *(in_transaction(database, lambda s: service.claim_delivery(s, event_id, "mail")) for _ in range(8))
    )
    assert sorted(claims) == [False] * 7 + [True]
    assert await in_transaction(database, lambda s: service.claim_delivery(s, event_id, "analytics"))


async def test_old_events_are_pruned_with_their_deliveries(database: Database) -> None:
    old = await in_transaction(database, lambda s: service.record(s, KettleBoiled(degrees=1)))
    new = await in_transaction(database, lambda s: service.record(s, KettleBoiled(degrees=2)))
    await in_transaction(database, lambda s: service.claim_delivery(s, old, "mail"))
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE app.domain_events SET occurred_at = now() - interval '100 days' WHERE id = :id"), {"id": old}
        )
    assert await in_transaction(database, lambda s: service.prune(s, older_than_days=90)) == 1
    assert await rows(database, "SELECT id FROM app.domain_events") == [(new,)]


def month(ahead: int) -> datetime:
    """The first moment of a month, UTC."""
    now = datetime.now(UTC)
    index = now.year * 12 + now.month - 1 + ahead
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


async def record_at(database: Database, *moments: datetime) -> None:
    events = [NewAnalyticsEvent("page.viewed", {"path": "/"}, created_at=moment) for moment in moments]
    await in_transaction(database, lambda s: service.record_analytics(s, events))


async def partitions(database: Database) -> dict[datetime, str]:
    found = await rows(database, "SELECT created_at, tableoid::regclass::text FROM app.events")
    return {row[0]: row[1] for row in found}


async def test_each_event_lands_in_the_partition_of_its_month_to_the_microsecond(database: Database) -> None:
    first, last = month(1), month(2) - timedelta(microseconds=1)
    await record_at(database, first - timedelta(microseconds=1), first, last)
    assert await partitions(database) == {
        first - timedelta(microseconds=1): f"app.events_{month(0):%Y_%m}",
        first: f"app.events_{month(1):%Y_%m}",
        last: f"app.events_{month(1):%Y_%m}",
    }


async def test_events_without_a_partition_are_kept_and_move_when_it_is_made(database: Database) -> None:
    far, next_one = month(6) + timedelta(days=3), month(7)
    await record_at(database, far, next_one)
    assert set((await partitions(database)).values()) == {"app.events_default"}
    assert await in_transaction(database, lambda s: service.ensure_partitions(s, months_ahead=6)) == 3
    assert await partitions(database) == {far: f"app.events_{far:%Y_%m}", next_one: "app.events_default"}
    assert await in_transaction(database, lambda s: service.ensure_partitions(s, months_ahead=6)) == 0
    await record_at(database, far)
    used_by = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'app' AND tablename = :t"
    assert await value(database, used_by, t=f"events_{far:%Y_%m}") == await value(database, used_by, t="events_default")


async def test_partitions_are_made_while_events_stream_in(database: Database) -> None:
    moments = [month(5) + timedelta(seconds=n) for n in range(40)]

    async def stream(part: list[datetime]) -> None:
        for moment in part:
            await record_at(database, moment)

    await asyncio.gather(
        stream(moments[:20]),
        stream(moments[20:]),
        *(in_transaction(database, lambda s: service.ensure_partitions(s, months_ahead=5)) for _ in range(3)),
    )
    assert await value(database, "SELECT count(*) FROM app.events") == 40
    assert set((await partitions(database)).values()) == {f"app.events_{month(5):%Y_%m}"}


async def test_only_months_past_their_time_are_dropped(database: Database) -> None:
    async with database.transaction() as session:
        for ahead in (-14, -3, -2):
            await session.execute(
                text(
                    f"CREATE TABLE app.events_{month(ahead):%Y_%m} PARTITION OF app.events "
                    f"FOR VALUES FROM ('{month(ahead).isoformat()}') TO ('{month(ahead + 1).isoformat()}')"
                )
            )
    await record_at(database, month(-14), month(-3), month(-2), month(0))
    assert await in_transaction(database, lambda s: service.drop_old_partitions(s, keep_months=3)) == 1
    assert sorted(await partitions(database)) == [month(-3), month(-2), month(0)]
    assert await in_transaction(database, lambda s: service.drop_old_partitions(s, keep_months=0)) == 2, (
        "at least one month is kept"
    )
    assert sorted(await partitions(database)) == [month(0)]


async def test_recording_nothing_is_nothing(database: Database) -> None:
    await in_transaction(database, lambda s: service.record_analytics(s, []))
    assert await value(database, "SELECT count(*) FROM app.events") == 0
