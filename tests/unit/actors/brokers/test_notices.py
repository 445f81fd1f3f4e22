"""Notices arrive at least once, and count once in the incarnation that took them."""

from actors.brokers.contract import ClientInfo
from actors.brokers.items import Noted
from actors.brokers.notices import REPEAT_S, Notices
from actors.brokers.operations import Departed
from actors.links.placement import bucket_of
from tests.fixtures.brokers import CHANNEL, MemoryWorld, NoDatabase, scripted
from tests.fixtures.simulation import passes, simulate

GONE = {"room:a": [ClientInfo("u", "gone")]}


def departures(script):
    return [op for op in script.up if isinstance(op, Departed)]


def left(process):
    return [entry[2] for entry in process.sink.of("leave")]


def test_a_notice_is_repeated_until_it_is_taken():
    async def test(script):
        script.brokers.departed("dead", {CHANNEL: [ClientInfo("u", "gone")]})
        await passes(0.1)
        await passes(2 * REPEAT_S)
        sent = departures(script)
        assert len(sent) >= 2, "not taken: it comes again"
        assert {(op.boot, op.request) for op in sent} == {("dead", sent[0].request)}
        assert sent[0].infos == [ClientInfo("u", "gone")]
        await script.down(Noted(sent[0].request))
        await passes(0.5)
        so_far = len(departures(script))
        await passes(3 * REPEAT_S)
        assert len(departures(script)) == so_far

    scripted(test)


def test_a_leave_is_told_although_the_shard_that_was_told_of_it_died(monkeypatch):
    # The next shard waits for the one who was told of the join.
    monkeypatch.setattr(NoDatabase, "hubs", ("watcher",))

    async def main():
        async with MemoryWorld() as world:
            watcher, teller = await world.process("watcher"), await world.process("teller")
            await watcher.subscribe("room:a")
            # Accepted by nobody who lives on.
            world.network.fault = lambda method: "lost request" if method == "submit" else ""
            teller.brokers.departed("dead", GONE)
            await passes(0.5)
            world.network.fault = lambda method: ""
            await world.restart()
            await passes(30)
            told = left(watcher) + [client for entry in watcher.sink.of("difference") for client in entry[3]]
            assert told == ["gone"]

    simulate(main())


def test_a_leave_is_told_to_who_came_back_to_a_channel_that_was_forgotten_in_between(monkeypatch):
    # The next shard waits for a process that never comes.
    monkeypatch.setattr(NoDatabase, "hubs", ("watcher", "dead"))

    async def main():
        async with MemoryWorld() as world:
            watcher, teller = await world.process("watcher"), await world.process("teller")
            await watcher.subscribe("room:a")
            await world.restart()
            await passes(5)
            assert world.shard.table.find("room:a").hubs
            # As an SDK does whose position is of an earlier stream: nobody is in the channel for a moment.
            watcher.unsubscribe("room:a", 1)
            await passes(0.5)
            assert world.shard.table.find("room:a") is None
            await watcher.subscribe("room:a")
            teller.brokers.departed("dead", GONE)
            await passes(30)
            told = left(watcher) + [client for entry in watcher.sink.of("difference") for client in entry[3]]
            assert told == ["gone"]

    simulate(main())


def test_a_notice_that_comes_twice_counts_once():
    async def main():
        async with MemoryWorld() as world:
            watcher, teller = await world.process("watcher"), await world.process("teller")
            await watcher.subscribe("room:a")
            await passes(20)
            # Carried out, and its answer lost: the same submit comes again.
            world.network.fault = lambda method: "lost reply" if method == "submit" else ""
            teller.brokers.departed("dead", GONE)
            await passes(1)
            world.network.fault = lambda method: ""
            await passes(3 * REPEAT_S)
            assert left(watcher) == ["gone"]

    simulate(main())


def test_a_process_that_lost_its_lease_on_the_roster_and_lives_on_stays_subscribed():
    async def main():
        async with MemoryWorld() as world:
            watcher, hub, teller = [await world.process(boot) for boot in ("watcher", "hub", "teller")]
            await watcher.subscribe("room:a", "w")
            await hub.subscribe("room:a", "c")
            await passes(20)
            for life in ("hub", "hub.1"):
                teller.brokers.departed(life, {"room:a": [ClientInfo("user of c", "c")]})
            await passes(1)
            assert left(watcher) == []
            await teller.publish("room:a", "heard")
            await passes(1)
            assert [entry[2] for entry in hub.sink.of("pub")] == ["heard"]
            assert set(await watcher.brokers.presence("room:a")) == {"w", "c"}
            # Its link's own lease is what counts here.
            await hub.brokers.stop()
            await passes(17)
            teller.brokers.departed("hub.2", {"room:a": [ClientInfo("user of c", "c")]})
            await passes(1)
            assert left(watcher) == ["c"]

    simulate(main())


def test_notices_go_along_when_their_bucket_moves():
    sent = []

    def send(op, size, *, may_expire=True):
        assert not may_expire
        sent.append(op)

    here, there = Notices(send), Notices(send)
    for number, channel in ((7, CHANNEL), (8, "elsewhere")):
        here.tell(Departed(channel, "dead", [ClientInfo("u", "gone")], number), 10, 0.0)
    sent.clear()
    there.bring(here.take_away({bucket_of(CHANNEL)}), 1.0)
    assert [op.request for op in sent] == [7]
    here.again(2.0)
    assert [op.request for op in sent] == [7, 8]
