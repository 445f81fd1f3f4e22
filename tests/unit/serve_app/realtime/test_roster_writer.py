"""Group commit, lease and expiry of the roster, in virtual time over a database that fails as told."""

import asyncio
from contextlib import asynccontextmanager

from db.session_events.boots import process_of
from db.session_events.store import Departed, LeaseLost, RosterUnreachable
from serve_app.realtime import roster_writer
from serve_app.realtime.roster_writer import RosterWriter
from tests.fixtures.roster import enters, leaves
from tests.fixtures.simulation import passes, simulate


class Database:
    """The rules of the real one (tests/integration/db/session_events), in memory: for what happens around it."""

    def __init__(self) -> None:
        self.beats: dict[str, int] = {}
        self.batches: dict[str, int] = {}
        self.written: list[tuple[str, str, str, bool]] = []
        self.commits: list[int] = []
        self.expired: list[str] = []
        self.away = False
        self.loses_answers = 0

    def _check(self) -> None:
        if self.away:
            raise RosterUnreachable("away")

    async def begin(self, boot):
        self._check()
        self.beats.setdefault(boot, 0)

    async def record(self, boot, batch, changes):
        await asyncio.sleep(0)
        self._check()
        if boot not in self.beats:
            raise LeaseLost(boot)
        if batch <= self.batches.get(boot, 0):
            return 0
        self.batches[boot] = batch
        self.beats[boot] += 1
        self.commits.append(len(changes))
        self.written += [(boot, change.client, change.channel, change.enters) for change in changes]
        if self.loses_answers:
            self.loses_answers -= 1
            raise RosterUnreachable("the answer was lost")
        return len(changes)

    async def beat(self, boot):
        self._check()
        if boot not in self.beats:
            raise LeaseLost(boot)
        self.beats[boot] += 1

    async def hubs(self):
        self._check()
        return dict(self.beats)

    async def expire(self, boot, beat, code):
        self._check()
        if boot not in self.beats or beat not in (None, self.beats[boot]):
            return []
        del self.beats[boot]
        self.expired.append(boot)
        return [Departed("c", "room:a", "u", b"", b"")]

    async def close(self):
        return None


class Hub:
    def __init__(self, database: Database, boot: str = "me") -> None:
        self.standing = []
        self.departed: list[str] = []
        self.wakes = 0
        self.writer = RosterWriter(
            boot,
            database,
            standing=lambda: self.standing,
            on_departed=lambda boot, who: self.departed.append(boot),
            wake=self.wake,
        )

    async def wake(self):
        self.wakes += 1
        raise TimeoutError("a wake-up is only a shortcut")


@asynccontextmanager
async def hub_on(database: Database, boot: str = "me"):
    hub = Hub(database, boot)
    await hub.writer.start()
    try:
        yield hub
    finally:
        await hub.writer.stop()


def test_what_gathers_while_one_commit_is_under_way_is_the_next():
    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(0.1)
            for number in range(2_500):
                hub.writer.add(enters(f"c{number}"))
            await passes(0.1)
            assert database.commits == [1_000, 1_000, 500]
            assert [client for _, client, _, _ in database.written] == [f"c{n}" for n in range(2_500)]
            assert hub.wakes >= 1
        assert database.expired == ["me"], "it leaves the roster with its process"

    simulate(scenario())


def test_a_lost_answer_is_repeated_and_written_once():
    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(0.1)
            database.loses_answers = 1
            hub.writer.add(enters("c1"))
            await passes(3)
            hub.writer.add(leaves("c1"))
            await passes(3)
            assert [entry[3] for entry in database.written] == [True, False]

    simulate(scenario())


def test_an_outage_delays_and_loses_nothing():
    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(1)
            database.away = True
            hub.writer.add(enters("c1"))
            await passes(60)
            hub.writer.add(leaves("c1"))
            database.away = False
            await passes(2)
            assert [entry[3] for entry in database.written] == [True, False]
            assert hub.writer.boot_id == "me"

    simulate(scenario())


def test_a_silent_hub_is_gone_within_the_lease_and_one_that_beats_is_not():
    async def scenario():
        database = Database()
        await database.begin("dead")
        async with hub_on(database) as hub, hub_on(database, "other") as other:
            began = asyncio.get_running_loop().time()
            while "dead" in database.beats:
                await passes(0.5)
            assert 10 <= asyncio.get_running_loop().time() - began <= 15
            await passes(60)
            assert database.expired == ["dead"]
            assert hub.departed + other.departed == ["dead"]

    simulate(scenario())


def test_after_an_outage_everybody_has_a_full_lease_again():
    """Nobody could beat while the database was away: that is no silence."""

    async def scenario():
        database = Database()
        async with hub_on(database):
            await database.begin("other")
            await passes(8)
            database.away = True
            await passes(30)
            database.away = False
            await passes(9)
            assert database.expired == []
            await passes(6)
            assert database.expired == ["other"]

    simulate(scenario())


def test_a_hub_that_lost_its_lease_takes_a_new_boot_id_and_enters_anew():
    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            hub.writer.add(enters("c1"))
            await passes(1)
            await database.expire("me", None, 0)
            hub.standing = [enters("c1")]
            hub.writer.add(enters("c2"))
            hub.standing.append(enters("c2"))
            await passes(5)
            renewed = hub.writer.boot_id
            assert process_of(renewed) == "me", "shards know it by its first name"
            assert renewed != "me"
            assert [entry[:2] for entry in database.written] == [("me", "c1"), (renewed, "c1"), (renewed, "c2")]
            hub.writer.add(leaves("c1"))
            await passes(1)
            assert database.written[-1] == (renewed, "c1", "", False)

    simulate(scenario())


def test_too_far_behind_it_gives_its_boot_id_up(monkeypatch):
    monkeypatch.setattr(roster_writer, "MAX_QUEUED", 10)

    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(1)
            database.away = True
            for number in range(20):
                hub.writer.add(enters(f"c{number}"))
            hub.standing = [enters("c19")]
            await passes(5)
            database.away = False
            await passes(5)
            assert database.expired == ["me"]
            assert [entry[1] for entry in database.written] == ["c19"]

    simulate(scenario())


def test_what_waits_is_bounded_while_the_database_is_away(monkeypatch):
    monkeypatch.setattr(roster_writer, "MAX_QUEUED", 10)

    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(1)
            database.away = True
            hub.standing = [enters("c0")]
            for number in range(200):
                hub.writer.add(enters(f"c{number}"))
                hub.writer.add(leaves(f"c{number}"))
                if number % 5 == 4:
                    await passes(2)
                    assert hub.writer.waiting <= 11 + 10
            database.away = False
            await passes(5)
            assert database.expired == ["me"]
            assert {boot for boot, *_ in database.written} == {hub.writer.boot_id}
            assert database.written[0][1] == "c0"

    simulate(scenario())


def test_more_standing_connections_than_the_bound_are_written_all_the_same(monkeypatch):
    monkeypatch.setattr(roster_writer, "MAX_QUEUED", 10)

    async def scenario():
        database = Database()
        async with hub_on(database) as hub:
            await passes(1)
            database.away = True
            hub.standing = [enters(f"c{number}") for number in range(30)]
            for number in range(20):
                hub.writer.add(leaves(f"d{number}"))
            await passes(3)
            database.away = False
            await passes(5)
            assert [entry[1] for entry in database.written] == [f"c{number}" for number in range(30)]
            assert database.expired == ["me"]

    simulate(scenario())


def test_stopping_writes_what_is_queued_and_does_not_wait_for_ever():
    async def scenario():
        database = Database()
        hub = Hub(database)
        await hub.writer.start()
        await passes(1)
        hub.writer.add(leaves("c1"))
        await hub.writer.stop()
        assert database.written[-1][1] == "c1"
        away = Database()
        hub = Hub(away)
        await hub.writer.start()
        await passes(1)
        away.away = True
        hub.writer.add(leaves("c1"))
        await hub.writer.stop()

    simulate(scenario())
