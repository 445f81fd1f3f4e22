"""The roster in Postgres: each change once, events in order, one leave per row however many report it."""

import asyncio
import contextlib

import asyncpg
import pytest

from db.session_events.kinds import BITS, OF_CONNECTIONS
from db.session_events.store import LeaseLost, RosterStore, RosterUnreachable
from tests.fixtures.roster import OF_CHANNELS, count, enters, events_of, leaves, roster_of


async def test_a_life_makes_its_events_in_order(database_url):
    async with roster_of(database_url, "h1") as store:
        made = await store.record("h1", 1, [enters("c1"), enters("c1", "room:a"), enters("c2", "room:a")])
        assert made == 4
        assert await store.record("h1", 2, [leaves("c1", "room:a"), leaves("c1", code=3001)]) == 2
        assert await store.record("h1", 3, [leaves("c2", "room:a")]) == 2
    assert await events_of(database_url) == [
        ("connected", "c1", ""),
        ("occupied", "c1", "room:a"),
        ("subscribed", "c1", "room:a"),
        ("subscribed", "c2", "room:a"),
        ("unsubscribed", "c1", "room:a"),
        ("disconnected", "c1", ""),
        ("unsubscribed", "c2", "room:a"),
        ("vacated", "c2", "room:a"),
    ]
    assert await count(database_url, "app.session_roster") == 0
    assert await count(database_url, "app.session_channels") == 0


async def test_coming_and_going_within_one_batch(database_url):
    async with roster_of(database_url, "h1") as store:
        await store.record(
            "h1", 1, [enters("c", "room:a"), leaves("c", "room:a"), enters("c", "room:a"), leaves("c", "room:a")]
        )
        assert await count(database_url, "app.session_roster") == 0
        await store.record("h1", 2, [enters("c", "room:a"), leaves("c", "room:a"), enters("c", "room:a")])
        assert await count(database_url, "app.session_roster") == 1
    kinds = [kind for kind, _, _ in await events_of(database_url)]
    assert kinds == ["occupied", "subscribed", "unsubscribed", "vacated"] * 3 + ["occupied", "subscribed"]


async def test_only_what_the_namespace_names(database_url):
    async with roster_of(database_url, "h1") as store:
        wants = BITS["disconnected"] | BITS["vacated"]
        changes = [make("c", channel, wanted=wants) for make in (enters, leaves) for channel in ("", "room:a")]
        assert await store.record("h1", 1, changes) == 2
    assert [kind for kind, _, _ in await events_of(database_url)] == ["disconnected", "vacated"]


async def test_a_repeated_batch_does_nothing(database_url):
    async with roster_of(database_url, "h1") as store:
        assert await store.record("h1", 1, [enters("c1")]) == 1
        assert await store.record("h1", 1, [enters("c1")]) == 0
        assert await store.record("h1", 2, [leaves("c1")]) == 1
        assert await store.record("h1", 2, [leaves("c1")]) == 0
    assert len(await events_of(database_url)) == 2


async def test_a_dead_hub_s_connections_leave_exactly_once_however_many_find_out(database_url):
    async with roster_of(database_url, "dead", "alive") as store:
        people = [enters(f"c{n}") for n in range(20)] + [enters(f"c{n}", "room:a") for n in range(20)]
        await store.record("dead", 1, people)
        await store.record("alive", 1, [enters("x", "room:a"), enters("y", "room:b")])
        beats = await store.hubs()
        finders = [RosterStore(database_url, application_name=f"finder-{n}") for n in range(5)]
        found = await asyncio.gather(*(finder.expire("dead", beats["dead"], 0) for finder in finders))
        await asyncio.gather(*(finder.close() for finder in finders))
        assert sorted(len(departed) for departed in found) == [0, 0, 0, 0, 20]
        who = next(departed for departed in found if departed)
        assert {(gone.channel, gone.conn_info) for gone in who} == {("room:a", b"{}")}
        assert set(await store.hubs()) == {"alive"}
    events = (await events_of(database_url))[44:]
    assert len(events) == 40
    for n in range(20):
        assert [kind for kind, client, _ in events if client == f"c{n}"] == ["unsubscribed", "disconnected"]
    assert await count(database_url, "app.session_roster") == 2


async def test_the_last_hub_of_a_channel_vacates_it_once(database_url):
    async with roster_of(database_url, "h1", "h2") as store:
        await store.record("h1", 1, [enters("a", "room:a"), enters("b", "room:a")])
        await store.record("h2", 1, [enters("c", "room:a")])
        await store.expire("h1", None, 0)
        assert "vacated" not in [kind for kind, _, _ in await events_of(database_url)]
        await store.expire("h2", None, 0)
    assert (await events_of(database_url))[-2:] == [("unsubscribed", "c", "room:a"), ("vacated", "c", "room:a")]


async def test_a_hub_that_beats_is_not_expired_and_one_that_was_is_told(database_url):
    async with roster_of(database_url, "h1") as store:
        seen = (await store.hubs())["h1"]
        await store.beat("h1")
        assert await store.expire("h1", seen, 0) == []
        assert "h1" in await store.hubs()
        await store.expire("h1", seen + 1, 0)
        with pytest.raises(LeaseLost):
            await store.beat("h1")
        with pytest.raises(LeaseLost):
            await store.record("h1", 1, [enters("c1")])
    assert await events_of(database_url) == []


async def test_hubs_that_commit_at_once_agree_on_who_was_first_and_who_was_last(database_url):
    """Occupied and vacated alternate, in the order of positions, whatever the hubs do at the same time."""
    boots = [f"h{n}" for n in range(6)]
    async with roster_of(database_url, *boots):

        async def churn(boot):
            store = RosterStore(database_url, application_name=boot)
            for batch in range(1, 21):
                make = enters if batch % 2 else leaves
                await store.record(boot, batch, [make(f"c-{boot}", "room:a", wanted=OF_CHANNELS)])
            await store.close()

        await asyncio.gather(*(churn(boot) for boot in boots))
    members = 0
    for kind, _, _ in await events_of(database_url):
        if kind == "occupied" or kind == "vacated":
            assert members == 0
        else:
            members += 1 if kind == "subscribed" else -1
    assert members == 0
    occupied = [kind for kind, _, _ in await events_of(database_url) if kind in ("occupied", "vacated")]
    assert occupied == ["occupied", "vacated"] * (len(occupied) // 2)


async def test_one_job_is_woken_however_many_commits(database_url):
    async with roster_of(database_url, "h1") as store:
        for batch in range(1, 6):
            await store.record("h1", batch, [enters(f"c{batch}", wanted=OF_CONNECTIONS)])
        await store.record("h1", 6, [enters("quiet", wanted=0)])
    assert await count(database_url, "jobs.queue") == 1


async def test_a_database_that_is_away_is_reported_and_found_again(database_url):
    nowhere = RosterStore("postgresql://nobody@127.0.0.1:1/nothing", application_name="t")
    with pytest.raises(RosterUnreachable):
        await nowhere.hubs()
    async with roster_of(database_url, "h1") as store:
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roster-test' "
            "AND datname = current_database()"
        )
        await connection.close()
        with contextlib.suppress(RosterUnreachable):
            await store.record("h1", 1, [enters("c1")])
        await store.record("h1", 1, [enters("c1")])
    assert await events_of(database_url) == [("connected", "c1", "")]
