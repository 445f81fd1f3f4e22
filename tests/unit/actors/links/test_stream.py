import asyncio

import msgspec
import pytest

from actors.links.frames import Accepted, Batch, Poll, Submit
from actors.links.stream import ABANDON_BYTES, LEASE_S, POLL_LIMIT_S, REPLY_BYTES, ClientStream, StreamServer
from tests.fixtures.simulation import passes, simulate

encode = msgspec.msgpack.encode


class Shard:
    def __init__(self, **options):
        self.applied = []
        self.attached = []
        self.expired = []
        self.server = StreamServer(
            "inc-1",
            Submit[str],
            apply=lambda stream, ops: self.applied.extend(ops),
            encode_gap=lambda channel: encode(f"gap {channel}"),
            on_attach=lambda new, old: self.attached.append((new.session, old and old.session)),
            on_expire=self.expired.append,
            **options,
        )

    async def poll(self, boot="hub", session=1, incarnation="inc-1", cursor=0):
        answer = await self.server.poll(encode(Poll(boot, session, incarnation, cursor)))
        return msgspec.msgpack.decode(answer, type=Batch[str])

    async def submit(self, *items, session=1, incarnation="inc-1", sequence=1):
        answer = await self.server.submit(encode(Submit("hub", session, incarnation, sequence, list(items))))
        return msgspec.msgpack.decode(answer, type=Accepted)

    async def attach(self, session=1):
        batch = await self.poll(session=session, incarnation="")
        assert not batch.reset
        return self.server.clients["hub"]


def test_a_poll_answers_what_follows_its_cursor_and_keeps_it_until_the_next():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        stream.push(encode("a"))
        stream.push(encode("b"))
        assert await shard.poll() == Batch("inc-1", 2, False, ["a", "b"])
        assert (await shard.poll(cursor=0)).items == ["a", "b"], "the answer may have been lost"
        stream.push(encode("c"))
        assert (await shard.poll(cursor=2)).items == ["c"]
        assert stream.size == len(encode("c"))

    simulate(main())


@pytest.mark.parametrize(
    "wrong", [{"incarnation": "inc-0"}, {"session": 2}, {"boot": "other"}, {"cursor": 7}], ids=lambda w: next(iter(w))
)
def test_a_position_of_another_stream_is_answered_with_a_reset_at_once(wrong):
    async def main():
        shard = Shard()
        await shard.attach()
        before = asyncio.get_running_loop().time()
        assert (await shard.poll(**wrong)).reset
        assert asyncio.get_running_loop().time() == before, "waiting for it would wait for ever"

    simulate(main())


def test_a_trimmed_position_is_reset_and_the_stream_lives_on():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        stream.push(encode("a"))
        stream.push(encode("b"))
        await shard.poll(cursor=1)
        assert (await shard.poll(cursor=0)).reset
        assert (await shard.poll(cursor=1)).items == ["b"]

    simulate(main())


def test_an_idle_poll_ends_empty_at_the_limit():
    async def main():
        shard = Shard()
        await shard.attach()
        before = asyncio.get_running_loop().time()
        batch = await shard.poll()
        assert (batch.items, batch.reset, batch.cursor) == ([], False, 0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(POLL_LIMIT_S)

    simulate(main())


def test_the_newest_poll_wins():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        older = asyncio.create_task(shard.poll())
        await passes(1)
        newer = asyncio.create_task(shard.poll())
        assert (await older).items == []
        stream.push(encode("a"))
        assert (await newer).items == ["a"]

    simulate(main())


def test_everything_pushed_in_one_turn_is_one_answer():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        waiting = asyncio.create_task(shard.poll())
        await passes(1)
        for n in range(50):
            stream.push(encode(str(n)))
        assert len((await waiting).items) == 50

    simulate(main())


def test_answers_stay_small_and_one_large_item_still_passes():
    stream = ClientStream("hub", 1, str.encode, 0.0)
    big = b"x" * (REPLY_BYTES + 1)
    small = b"y" * (REPLY_BYTES // 2)
    for item in (big, small, small, small):
        stream.push(item)
    assert stream.take() == (1, [big])
    stream.trim(1)
    assert stream.take() == (3, [small, small])


def test_overflow_drops_publications_keeps_answers_and_marks_each_channel_once():
    stream = ClientStream("hub", 1, lambda channel: b"gap " + channel.encode(), 0.0, limit_bytes=1000)
    stream.push(b"ack 1")
    for n in range(30):
        stream.push(b"p" * 40, f"ch{n % 2}")
    stream.push(b"ack 2")
    cursor, items = stream.take()
    assert stream.overflows == 1
    marks = [item for item in items if item.startswith(b"gap")]
    assert sorted(marks) == [b"gap ch0", b"gap ch1"]
    assert items[0] == b"ack 1"
    assert items[-1] == b"ack 2"
    # What came after the overflow follows the marks.
    assert items.index(b"gap ch1") < items.index(b"p" * 40)
    assert cursor == stream.top
    assert stream.size < 1000


def test_a_second_overflow_moves_the_mark_to_the_end():
    stream = ClientStream("hub", 1, lambda channel: b"gap " + channel.encode(), 0.0, limit_bytes=100)
    stream.push(b"p" * 101, "ch")
    stream.push(b"repaired")
    stream.push(b"p" * 101, "ch")
    assert stream.take()[1] == [b"repaired", b"gap ch"]


def test_after_an_overflow_the_reader_gets_only_what_is_new():
    async def main():
        shard = Shard(queue_bytes=100)
        stream = await shard.attach()
        stream.push(encode("ack"))
        for _ in range(3):
            stream.push(encode("p" * 20), "ch")
        first = await shard.poll()
        for _ in range(5):
            stream.push(encode("q" * 20), "ch")
        second = await shard.poll(cursor=first.cursor)
        assert "ack" not in second.items
        assert second.items[0] == "gap ch"
        assert not second.reset

    simulate(main())


def test_a_client_that_never_reads_loses_its_session_before_memory_is_lost():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        while not stream.lost:
            stream.push(b"\xc4\xff" + b"x" * 255 * 1000)
            assert stream.size < ABANDON_BYTES + 1_000_000
        assert (await shard.poll()).reset
        assert shard.expired == [stream]

    simulate(main())


def test_a_submit_is_applied_once_however_often_it_comes():
    async def main():
        shard = Shard()
        await shard.attach()
        for _ in range(3):
            assert await shard.submit("a", "b") == Accepted("inc-1", 1, reset=False)
        assert (await shard.submit("c", sequence=2)).sequence == 2
        assert (await shard.submit("a", "b", sequence=1)).sequence == 2
        assert shard.applied == ["a", "b", "c"]

    simulate(main())


@pytest.mark.parametrize("wrong", [{"incarnation": "inc-0"}, {"session": 9}, {"sequence": 5}])
def test_a_submit_meant_for_another_stream_is_refused(wrong):
    async def main():
        shard = Shard()
        await shard.attach()
        assert (await shard.submit("a", **wrong)).reset
        assert shard.applied == []

    simulate(main())


def test_a_new_session_replaces_the_old_one_and_an_older_cannot_come_back():
    async def main():
        shard = Shard()
        await shard.attach(session=1)
        waiting = asyncio.create_task(shard.poll())
        await passes(1)
        await shard.attach(session=2)
        assert (await waiting).reset
        assert shard.attached == [(1, None), (2, 1)]
        assert (await shard.poll(session=1, incarnation="")).reset
        assert shard.server.clients["hub"].session == 2

    simulate(main())


def test_a_silent_client_expires_and_a_polling_one_does_not():
    async def main():
        shard = Shard()
        stream = await shard.attach()
        loop = asyncio.get_running_loop()
        for _ in range(4):
            await shard.poll()
            shard.server.expire(loop.time())
        assert shard.expired == []
        await passes(LEASE_S + 0.1)
        assert shard.server.expire(loop.time()) == [stream]
        assert (await shard.poll()).reset

    simulate(main())


def test_close_answers_waiting_polls():
    async def main():
        shard = Shard()
        await shard.attach()
        waiting = asyncio.create_task(shard.poll())
        await passes(1)
        shard.server.close()
        assert (await waiting).reset
        assert (await shard.poll(session=2, incarnation="")).reset, "it takes nobody on any more"

    simulate(main())


def test_an_operation_that_cannot_be_decoded_does_not_stop_those_around_it():
    async def main():
        shard = Shard()
        await shard.attach()
        assert not (await shard.submit("a", 7, "b")).reset
        assert shard.applied == ["a", "b"]
        assert (await shard.submit("c", sequence=2)).sequence == 2
        assert shard.applied == ["a", "b", "c"]

    simulate(main())
