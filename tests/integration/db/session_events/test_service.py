"""Positions of handlers, and how long events are kept."""

from sqlalchemy import text

from db.session_events import service
from tests.fixtures.roster import enters, leaves, roster_of


async def test_events_are_read_in_order_from_a_position(database, database_url):
    async with roster_of(database_url, "h1") as store:
        await store.record("h1", 1, [enters("c1"), enters("c1", "room:a"), leaves("c1", code=3503)])
    async with database.transaction() as session:
        await service.register_handlers(session, ["a"])
        await service.register_handlers(session, ["a", "b"])
        assert await service.lock_handler(session, "a") == 0
        first, *rest = await service.after(session, 0, limit=2)
        assert (first.kind, first.client, first.user, first.hub) == ("connected", "c1", "user of c1", "h1")
        assert first.as_json()["occurred_at"] == "1970-01-01T00:00:01+00:00"
        await service.advance(session, "a", rest[-1].id)
    async with database.transaction() as session:
        position = await service.lock_handler(session, "a")
        assert position == rest[-1].id
        left = await service.after(session, position, limit=10)
        assert [(event.kind, event.code) for event in left] == [("subscribed", 0), ("disconnected", 3503)]


async def test_a_handler_is_served_by_one_at_a_time(database):
    async with database.transaction() as session:
        await service.register_handlers(session, ["a"])
    async with database.transaction() as one, database.transaction() as other:
        assert await service.lock_handler(one, "a") == 0
        assert await service.lock_handler(other, "a") is None


async def test_events_go_when_everybody_has_seen_them_or_after_a_week(database, database_url):
    async with roster_of(database_url, "h1") as store:
        await store.record("h1", 1, [enters(f"c{n}") for n in range(4)])
    hours = [8 * 24, 2, 2, 0]
    async with database.transaction() as session:
        events = await service.after(session, 0, limit=10)
        for event, age in zip(events, hours, strict=True):
            await session.execute(
                text(
                    "UPDATE app.session_events SET occurred_at = now() - make_interval(hours => :age) WHERE position=:p"
                ),
                {"age": age, "p": event.id},
            )
        await service.register_handlers(session, ["slow"])
        await service.note_failure(session, "slow", "boom")
        await service.advance(session, "slow", events[1].id)
        assert await service.prune(session) == 2
        assert [event.id for event in await service.after(session, 0, limit=10)] == [e.id for e in events[2:]]
        assert await session.scalar(text("SELECT failures FROM app.session_event_handlers")) == 0
