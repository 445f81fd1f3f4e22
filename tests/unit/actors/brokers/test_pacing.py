"""What asks for much waits until its process has read, and takes nobody's stream away."""

import asyncio

import pytest

from actors.brokers.contract import HistoryRequest, StreamPosition
from actors.brokers.operations import History, Presence, Repair, Resume, Subscribe, Unsubscribe
from actors.brokers.ownership import HELD_WITHIN_S
from actors.brokers.pacing import LARGE, UNREAD_BYTES, Pacing
from actors.links.stream import ABANDON_BYTES, ClientStream
from db.streams.reader import StoredPublication
from tests.fixtures.brokers import MemoryWorld, NoDatabase
from tests.fixtures.simulation import passes, simulate

LONG = "x" * 60_000


async def filled(world):
    """A process, one that publishes, and a channel with a history of 6 MB."""
    process, other = await world.process(), await world.process("other")
    for _ in range(100):
        position = await other.publish("big:a", LONG)
    return process, other, position


def session(process):
    return process.brokers._views[0].link.session


async def all_of(asked):
    return await asyncio.gather(*asked, return_exceptions=True)


async def stop(*processes):
    for process in processes:
        await process.brokers.stop()


def test_many_that_come_back_at_once_all_recover_and_nobody_else_notices():
    async def main():
        async with MemoryWorld() as world:
            process, other, position = await filled(world)
            await process.subscribe("room:v", "victim")
            await other.subscribe("room:v", "watcher")
            other.sink.heard.clear()
            since, before = StreamPosition(position.epoch, 90), session(process)
            coming = [process.subscribe("big:a", f"c{n}", since=since, presence=False) for n in range(40)]
            replies = await all_of(coming)
            assert [len(reply.publications) for reply in replies] == [10] * 40
            assert session(process) == before
            await other.publish("room:v", "still there")
            await passes(1)
            assert other.sink.of("leave") == []
            assert process.sink.publications[-1].data == b"still there"
            await stop(process, other)

    simulate(main())


def test_large_questions_are_answered_one_after_the_other():
    async def main():
        async with MemoryWorld() as world:
            process, other, _ = await filled(world)
            before = session(process)
            pages = await all_of(process.brokers.history(HistoryRequest("big:a", limit=-1)) for _ in range(8))
            assert {len(page.publications) for page in pages} == {87}, "5 MiB of them"
            assert session(process) == before
            await stop(process, other)

    simulate(main())


def test_a_process_that_does_not_read_is_refused_in_time_and_keeps_its_stream():
    async def main():
        async with MemoryWorld() as world:
            process, other, _ = await filled(world)
            await passes(1)
            stream = world.shard.streams.clients["hub"]
            world.network.fault = lambda method: "lost reply" if method == "poll" else ""
            asked = asyncio.gather(
                *(process.brokers.history(HistoryRequest("big:a", limit=-1)) for _ in range(8)), return_exceptions=True
            )
            await passes(1)
            assert len(stream.held_back) == 6
            assert UNREAD_BYTES < stream.kept < ABANDON_BYTES
            await passes(HELD_WITHIN_S + 1)
            assert stream.held_back == {}
            assert {failed.code for failed in await asked} == {100}
            assert not stream.lost
            await stop(process, other)

    simulate(main())


def test_who_gives_up_while_waiting_is_not_registered_afterwards():
    async def main():
        async with MemoryWorld() as world:
            process, other, position = await filled(world)
            since = StreamPosition(position.epoch, 90)
            coming = [
                asyncio.create_task(process.subscribe("big:a", f"c{n}", since=since, presence=False)) for n in range(20)
            ]
            await asyncio.sleep(0)
            process.unsubscribe("big:a", 20, "c19")
            await passes(1)
            assert sorted(world.shard.table.get("big:a").hubs["hub"].subscribers) == list(range(1, 20))
            coming[-1].cancel()
            await stop(process, other)

    simulate(main())


def test_what_a_process_holds_is_registered_before_what_it_missed_has_its_turn():
    async def main():
        async with MemoryWorld() as world:
            process, other, position = await filled(world)
            await process.subscribe("big:a", presence=False)
            held = process.brokers._views[0].following.held["big:a"]
            await passes(1)
            stream, shard = world.shard.streams.clients["hub"], world.shard
            stream.reading, held.repairing, held.offset = 9, True, 95
            shard._apply(stream, [Resume("big:a", position.epoch, 95, list(held.subscribers.values()))])
            assert list(stream.held_back) == ["big:a"]
            assert "hub" in shard.table.get("big:a").hubs
            assert not shard.table.waits(stream, Resume)
            await other.publish("big:a", "101st")
            stream.reading = 0
            shard.pacing.release(stream)
            await passes(1)
            assert [p.offset for p in process.sink.publications] == [96, 97, 98, 99, 100, 101]
            await stop(process, other)

    simulate(main())


class _Slow(NoDatabase):
    """Reads take their time, and are large."""

    running = most = 0

    async def after(self, channel, offset, limit):
        self.running += 1
        self.most = max(self.most, self.running)
        await passes(0.01)
        self.running -= 1
        return [StoredPublication(n, LONG.encode(), None, n) for n in range(offset + 1, min(offset + limit, 40) + 1)]


def test_what_is_being_read_from_the_database_counts_as_unread():
    async def main():
        reader = _Slow()
        async with MemoryWorld(reader=reader) as world:
            process = await world.process()
            first = asyncio.create_task(process.subscribe("ledger:a", presence=False))
            await passes(0.5)
            world.load("ledger:a", top=40)
            await first
            before = session(process)
            since = StreamPosition("e", 0)
            coming = [process.subscribe("ledger:a", f"c{n}", since=since, presence=False) for n in range(20)]
            assert [reply.recovered for reply in await all_of(coming)] == [True] * 20
            assert session(process) == before
            assert reader.most == 2
            await stop(process)

    simulate(main())


@pytest.mark.parametrize("op", [Subscribe("c", None), Presence(1, "c", full=False), Unsubscribe("c", 1)])
def test_what_asks_for_little_does_not_wait(op):
    async def main():
        stream, done = ClientStream("hub", 1, lambda channel: b"", 0.0), []
        stream.push(b"x" * (UNREAD_BYTES + 1))
        pacing = Pacing(lambda stream, op, seen: None)
        handlers = {kind: lambda stream, op: done.append(op) for kind in (*LARGE, Unsubscribe)}
        pacing.paced(handlers)[type(op)](stream, op)
        assert done == [op]

    simulate(main())


def test_what_waited_is_decided_as_of_when_it_came():
    async def main():
        stream, decided = ClientStream("hub", 1, lambda channel: b"", 0.0), []
        stream.push(b"x" * (UNREAD_BYTES + 1))
        pacing = Pacing(lambda stream, op, seen: decided.append((op.request, seen)))
        take = pacing.paced({kind: lambda stream, op: None for kind in (*LARGE, Unsubscribe)})[History]
        for request in (1, 2):
            stream.seen = request
            take(stream, History(request, "c", -1, False, "", 0, False))
        pacing.release(stream)
        assert decided == []
        stream.trim(1)
        pacing.release(stream)
        assert decided == [(1, 1), (2, 2)]

    simulate(main())


def test_what_a_channel_missed_waits_as_long_as_it_takes():
    async def main():
        stream = ClientStream("hub", 1, lambda channel: b"", 0.0)
        stream.push(b"x" * (UNREAD_BYTES + 1))
        pacing = Pacing(lambda stream, op, seen: None)
        take = pacing.paced({kind: lambda stream, op: None for kind in (*LARGE, Unsubscribe)})
        take[Repair](stream, Repair("c", "e", 1))
        take[History](stream, History(1, "c", -1, False, "", 0, False))
        pacing.check([stream], asyncio.get_running_loop().time() + HELD_WITHIN_S + 1)
        assert list(stream.held_back) == ["c"]

    simulate(main())


@pytest.mark.parametrize("ends", [True, False])
def test_after_a_read_what_waits_goes_on_unless_the_shard_ends(ends):
    async def main():
        stream, decided = ClientStream("hub", 1, lambda channel: b"", 0.0), []
        pacing = Pacing(lambda stream, op, seen: decided.append(op.request))
        take = pacing.paced({kind: lambda stream, op: None for kind in (*LARGE, Unsubscribe)})[History]
        read = asyncio.Event()
        reading = [asyncio.create_task(pacing.reading(stream, read.wait())) for _ in range(2)]
        take(stream, History(1, "c", -1, False, "", 0, False))
        await passes(0.1)
        for task in reading:
            task.cancel() if ends else read.set()
        await asyncio.gather(*reading, return_exceptions=True)
        assert stream.reading == 0
        assert decided == ([] if ends else [1])

    simulate(main())
