"""What a subscriber missed, decided against memory and database together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.brokers import recovery
from actors.brokers.channel import Channel, encode_pub
from actors.brokers.operations import Publish
from actors.brokers.stored import encode_row
from actors.protocol.namespaces import Namespaces
from db.streams.reader import StoredPublication
from tests.fixtures.brokers import NAMESPACES
from tests.fixtures.simulation import simulate

RULES = Namespaces.parse(NAMESPACES)
EPOCH = "abcdefgh"


def pub(offset):
    return encode_pub(Publish(0, "ledger:a", str(offset).encode(), f"p{offset}"), offset, EPOCH, offset, delta=False)


class Rows:
    """A stream's rows. `meanwhile(channel)` runs during each read, as publications do."""

    def __init__(self, offsets, meanwhile=lambda: None):
        self.offsets = list(offsets)
        self.meanwhile = meanwhile
        self.reads = 0

    async def after(self, channel, offset, limit):
        self.reads += 1
        found = [StoredPublication(n, str(n).encode(), None, n) for n in self.offsets if n > offset][:limit]
        self.meanwhile()
        return found

    async def before(self, channel, offset, limit):
        self.reads += 1
        found = [StoredPublication(n, str(n).encode(), None, n) for n in reversed(self.offsets) if n < offset][:limit]
        self.meanwhile()
        return found


def durable(top, *, in_memory=3):
    channel = Channel("ledger:a", RULES.for_channel("ledger:a"), 0.0)
    channel.epoch, channel.loaded, channel.top = EPOCH, True, top
    channel.ring.clear(top - in_memory)
    for offset in range(top - in_memory + 1, top + 1):
        channel.ring.append(pub(offset), 0.0)
    return channel


def grow(channel):
    channel.accept(channel.top + 1, EPOCH, pub(channel.top + 1), 0.0)


def test_rows_and_stored_publications_are_the_same_bytes():
    assert encode_row(StoredPublication(3, b"3", None, 3), EPOCH, delta=False) == pub(3)


@given(
    top=st.integers(0, 12),
    in_memory=st.integers(0, 5),
    since=st.integers(0, 14),
    limit=st.integers(0, 12),
    epoch=st.sampled_from([EPOCH, "", "other"]),
    first_row=st.integers(1, 13),
    growing=st.booleans(),
)
def test_recovered_means_complete_up_to_the_top_and_nothing_else_is_delivered(
    top, in_memory, since, limit, epoch, first_row, growing
):
    channel = durable(top, in_memory=min(in_memory, top))

    def meanwhile():
        if growing:
            grow(channel)
            rows.offsets.append(channel.top)

    # Rows beyond the top are commits that this shard has not heard of yet.
    rows = Rows(range(first_row, top + 3), meanwhile if growing else lambda: None)
    if growing:
        rows.offsets = list(range(first_row, top + 1))

    async def main():
        return await recovery.recover_from_database(rows, channel, epoch, since, limit)

    outcome = simulate(main())
    assert not outcome.needs_database
    if outcome.recovered:
        assert epoch in ("", EPOCH)
        assert outcome.pubs == [pub(n) for n in range(since + 1, channel.top + 1)]
    else:
        assert outcome.pubs == []
        possible = epoch != "other" and since <= top and channel.top - since <= limit
        reachable = since >= channel.ring.base or since + 1 >= first_row
        assert not (possible and reachable and not growing), "it could have been recovered"


def test_memory_is_asked_first():
    channel = durable(10)
    rows = Rows([])
    outcome = simulate(recovery.recover_from_database(rows, channel, EPOCH, 7, 300))
    assert (outcome.recovered, rows.reads) == (True, 0)


def test_publications_that_arrive_during_the_read_are_not_missed():
    channel = durable(10, in_memory=3)
    rows = Rows(range(1, 11), lambda: grow(channel))
    outcome = simulate(recovery.recover_from_database(rows, channel, EPOCH, 2, 300))
    assert outcome.pubs == [pub(n) for n in range(3, channel.top + 1)]
    assert channel.top == 11


def test_a_stream_that_outruns_the_reader_is_given_up():
    channel = durable(20, in_memory=5)

    def flood():
        for _ in range(10):
            grow(channel)

    rows = Rows(range(1, 16), flood)
    outcome = simulate(recovery.recover_from_database(rows, channel, EPOCH, 10, 1000))
    assert (outcome.recovered, rows.reads) == (False, recovery.READS)


@pytest.mark.parametrize(
    ("epoch", "offset", "recovered", "offsets"),
    [
        ("", 0, True, [10]),
        (EPOCH, 3, True, [10]),
        (EPOCH, 10, True, []),
        ("other", 10, True, [10]),
    ],
)
@pytest.mark.parametrize("in_memory", [0, 3])
def test_cache_mode_gives_the_latest_from_wherever_it_is(epoch, offset, recovered, offsets, in_memory):
    channel = durable(10, in_memory=in_memory)
    outcome = recovery.recover_latest(channel, epoch, offset)
    if outcome.needs_database:
        outcome = simulate(recovery.recover_latest_from_database(Rows(range(1, 11)), channel, epoch, offset))
    assert (outcome.recovered, outcome.pubs) == (recovered, [pub(n) for n in offsets])


def test_cache_mode_does_not_pass_an_older_publication_off_as_the_latest():
    channel = durable(10, in_memory=0)
    outcome = simulate(recovery.recover_latest_from_database(Rows(range(1, 9)), channel, "", 0))
    assert not outcome.recovered
    newer = Rows(range(1, 11), lambda: grow(channel))
    outcome = simulate(recovery.recover_latest_from_database(newer, channel, "", 0))
    assert outcome.pubs == [pub(11)], "one arrived during the read"


@given(
    st.integers(0, 12), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 14)), st.integers(1, 20), st.booleans()
)
def test_a_page_is_the_same_from_memory_and_from_the_database(top, in_memory, offset, limit, reverse):
    channel = durable(top, in_memory=min(in_memory, top))
    rows = Rows(range(1, top + 3))
    stored = simulate(recovery.read_history_from_database(rows, channel, offset, limit, reverse=reverse))
    if reverse:
        expected = [pub(n) for n in range(top, 0, -1) if offset is None or n < offset][:limit]
    else:
        expected = [pub(n) for n in range(1, top + 1) if offset is None or n > offset][:limit]
    in_ring = recovery.read_history(channel, offset, limit, reverse=reverse)
    assert in_ring is None or in_ring == expected
    if offset is None or offset <= top + 1:
        assert stored == expected


def test_what_no_answer_holds_is_not_recovered_and_a_page_ends_there():
    async def main():
        long = "x" * 1_000_000
        rows = [StoredPublication(n, long.encode(), None, n) for n in range(1, 11)]
        channel = durable(10, in_memory=0)

        class Large(Rows):
            async def after(self, channel, offset, limit):
                return [row for row in rows if row.offset > offset][:limit]

            async def before(self, channel, offset, limit):
                return [row for row in reversed(rows) if row.offset < offset][:limit]

        async def read(offset):
            outcome = await recovery.recover_from_database(Large([]), channel, EPOCH, offset, 100)
            return outcome.recovered, len(outcome.pubs)

        assert await read(5) == (True, 5)
        assert await read(4) == (False, 0)
        for reverse in (False, True):
            assert len(await recovery.read_history_from_database(Large([]), channel, None, 9, reverse=reverse)) == 5
        channel.ring.clear(0)
        channel.ring.keep(20, 3600.0)
        for row in rows:
            channel.ring.append(encode_row(row, EPOCH, delta=False), 0.0)
        assert len(recovery.recover(channel, EPOCH, 5, 100).pubs) == 5
        refused = recovery.recover(channel, EPOCH, 4, 100)
        assert (refused.recovered, refused.needs_database) == (False, False)
        for reverse in (False, True):
            assert len(recovery.read_history(channel, None, 9, reverse=reverse)) == 5

    simulate(main())
