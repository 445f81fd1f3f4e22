import itertools
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from centrifuge.fossil import apply_delta
from centrifuge.protocol import client_pb2
from hypothesis import given
from hypothesis import strategies as st

from actors.brokers.contract import ClientInfo, Publication, StreamPosition, SubscribeReply
from actors.protocol.protobuf_wire import read_varint
from actors.protocol.tags_filter import parse
from serve_app.realtime.channel import WRITES_PER_STEP, Channel
from serve_app.realtime.deltas import Patches, recovered_messages
from serve_app.realtime.peer import Peer
from serve_app.realtime.rendering import Variant
from serve_app.realtime.wire import JSON_MESSAGES, PROTOBUF_MESSAGES, Wire


class Inbox:
    wire: Wire = JSON_MESSAGES

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.got.append(data)

    def close(self, code: int, reason: str) -> None:
        raise AssertionError


class Broken(Inbox):
    def write(self, data: bytes) -> None:
        raise OSError("broken transport")


def peer(inbox: Inbox | None = None) -> Any:
    return Peer(None, inbox or Inbox())  # type: ignore[arg-type]


def member(channel: Channel, inbox: Inbox | None = None, *, waiting: bool = False, **variant: Any) -> Any:
    added = peer(inbox)
    channel.add(added, Variant(added.socket.wire, **variant), waiting=waiting)
    return added


def publications(*offsets: int, epoch: str = "e") -> list[Publication]:
    return [Publication(b"%d" % offset, offset=offset, epoch=epoch) for offset in offsets]


def at(offset: int, epoch: str = "e") -> Channel:
    channel = Channel("c", 1)
    channel.epoch, channel.offset = epoch, offset
    return channel


@pytest.mark.parametrize(
    ("offset", "arriving", "fresh"),
    [
        (3, (4, 5), [4, 5]),
        (3, (2, 3), []),
        (3, (3, 4), [4]),
        (3, (5,), None),
        (3, (4, 6), None),
    ],
)
def test_the_position_advances_without_gap_or_repetition(
    offset: int, arriving: tuple[int, ...], fresh: list[int] | None
) -> None:
    channel = at(offset)
    got = channel.advance(publications(*arriving))
    assert (None if got is None else [publication.offset for publication in got]) == fresh


def test_an_unknown_epoch_is_adopted_and_another_is_a_gap() -> None:
    channel = Channel("c", 1)
    assert channel.advance(publications(7)) is not None
    assert (channel.epoch, channel.offset) == ("e", 7)
    assert channel.advance(publications(8, epoch="other")) is None


def test_publications_without_offset_pass_and_do_not_move_the_position() -> None:
    channel = at(3)
    assert channel.advance([Publication(b"1"), *publications(4)]) is not None
    assert channel.offset == 4


def test_a_burst_is_one_write_per_member() -> None:
    channel = at(0)
    inbox = Inbox()
    member(channel, inbox)
    list(channel.publish(publications(1, 2, 3)))
    assert len(inbox.got) == 1
    assert [json.loads(line)["push"]["pub"]["offset"] for line in inbox.got[0].split(b"\n")] == [1, 2, 3]


def test_a_broken_transport_does_not_cost_the_others_their_message() -> None:
    channel = at(0)
    inbox = Inbox()
    member(channel, Broken())
    member(channel, inbox)
    list(channel.publish(publications(1)))
    assert len(inbox.got) == 1


def test_large_channels_are_written_in_steps_and_those_who_left_meanwhile_are_spared() -> None:
    channel = at(0)
    members = [member(channel) for _ in range(WRITES_PER_STEP * 2)]
    work = channel.publish(publications(1))
    next(work)
    channel.remove(members[-1])
    list(work)
    assert [len(each.socket.got) for each in members] == [1] * (WRITES_PER_STEP * 2 - 1) + [0]


def test_waiting_members_hold_their_pushes_until_they_are_released() -> None:
    channel = at(0)
    waiting = member(channel, waiting=True)
    list(channel.publish(publications(1)))
    assert len(waiting.held) == 1
    assert waiting.held_bytes == len(waiting.held[0])
    assert channel.peers() == [waiting]
    channel.release(waiting)
    channel.release(waiting)
    list(channel.publish(publications(2)))
    assert len(waiting.socket.got) == 1
    channel.remove(waiting)
    channel.remove(waiting)
    assert channel.variants == {}


def test_joins_go_only_to_those_who_want_them() -> None:
    channel = at(0)
    wants, compact, quiet = Inbox(), Inbox(), Inbox()
    member(channel, wants, join_leave=True)
    member(channel, compact, join_leave=True, compact=True)
    member(channel, quiet)
    list(channel.announce([ClientInfo("u", "c")], []))
    list(channel.announce([], [ClientInfo("u", "c")]))
    info = {"info": {"user": "u", "client": "c"}}
    assert [json.loads(data)["push"] for data in wants.got] == [
        {"channel": "c", "join": info},
        {"channel": "c", "leave": info},
    ]
    assert json.loads(compact.got[0])["push"] == {"id": 1, "join": info}
    assert quiet.got == []


class Reader:
    """A client that agreed to deltas."""

    def __init__(self, channel: Channel, wire: Wire, name: str, recovered: SubscribeReply | None) -> None:
        self.channel, self.wire, self.name = channel, wire, name
        self.base = b""
        self.texts: list[str] = []
        self.deltas: list[bool] = []
        self.peer: Any = Peer(SimpleNamespace(client=name, user=name), self)  # type: ignore[arg-type]
        delta = channel.delta_state(recovered)
        if recovered is not None:
            binary = wire.codec.is_binary
            for message in recovered_messages("c", recovered.publications, Patches(), binary=binary):
                data = bytes(message.data)
                self.read(data if binary else json.loads(data).encode(), patch=message.delta)
        channel.add(self.peer, Variant(wire, delta=delta))

    def write(self, data: bytes) -> None:
        if self.wire is JSON_MESSAGES:
            for line in data.split(b"\n"):
                pub = json.loads(line)["push"]["pub"]
                self.read(pub["data"].encode(), patch=pub.get("delta", False))
            return
        position = 0
        while position < len(data):
            length, position = read_varint(data, position, len(data))
            message = client_pb2.Reply.FromString(data[position : position + length])
            position += length
            self.read(message.push.pub.data, patch=message.push.pub.delta)

    def read(self, content: bytes, *, patch: bool) -> None:
        self.base = apply_delta(self.base, content) if patch else content
        self.texts.append(self.base.decode())
        self.deltas.append(patch)

    def leave(self) -> None:
        self.channel.remove(self.peer)


def run(channel: Channel, *publications: Publication) -> None:
    assert channel.advance(publications)
    list(channel.publish(publications))


def flagged(offset: int, text: str, **fields: Any) -> Publication:
    return Publication(json.dumps(text, ensure_ascii=False).encode(), offset=offset, epoch="e", delta=True, **fields)


def answer(*publications: Publication) -> SubscribeReply:
    last = publications[-1]
    return SubscribeReply("c", 1, StreamPosition(last.epoch, last.offset), recovered=True, publications=publications)


LONG = "Матч начался вовремя, обе команды играют осторожно 👍🏽. " * 3


def test_the_first_live_publication_is_whole_and_the_next_is_a_patch() -> None:
    channel = at(0)
    first = Reader(channel, JSON_MESSAGES, "a", None)
    run(channel, flagged(1, LONG + "1"))
    second = Reader(channel, PROTOBUF_MESSAGES, "b", None)
    run(channel, flagged(2, LONG + "2"))
    run(channel, flagged(3, LONG + "3"), flagged(4, LONG + "4"))
    assert first.deltas == [False, True, True, True]
    assert second.deltas == [False, True, True]
    assert first.texts == [json.dumps(LONG + str(n), ensure_ascii=False) for n in (1, 2, 3, 4)]


def test_after_recovery_patches_start_at_once_where_the_base_is_known_to_be_the_same() -> None:
    channel = at(2)
    missed = [flagged(1, LONG + "1"), flagged(2, LONG + "2")]
    first = Reader(channel, JSON_MESSAGES, "a", answer(*missed))
    same = Reader(channel, JSON_MESSAGES, "b", answer(missed[1]))
    other = Reader(channel, JSON_MESSAGES, "c", answer(flagged(1, LONG + "1")))
    nothing = Reader(channel, JSON_MESSAGES, "d", None)
    run(channel, flagged(3, LONG + "3"))
    assert [reader.deltas[-1] for reader in (first, same, other, nothing)] == [True, True, False, False]


def test_who_was_left_out_gets_the_next_one_whole() -> None:
    channel = at(0)
    left_out, other = Reader(channel, JSON_MESSAGES, "a", None), Reader(channel, JSON_MESSAGES, "b", None)
    run(channel, flagged(1, LONG + "1"))
    run(channel, flagged(2, LONG + "2", exclude_clients=("a",)))
    run(channel, flagged(3, LONG + "3"))
    assert left_out.deltas == [False, False]
    assert other.deltas == [False, True, True]
    assert left_out.texts[-1] == other.texts[-1]


class Listed(tuple[str, ...]):
    """Not to be looked through for each member: a long list times many members stops the process for seconds."""

    def __contains__(self, item: object) -> bool:
        raise AssertionError


def test_a_list_of_the_excluded_is_read_once() -> None:
    channel = at(0)
    readers = [Reader(channel, JSON_MESSAGES, name, None) for name in ("a", "b")]
    run(channel, flagged(1, LONG, exclude_clients=Listed(("a",)), exclude_users=Listed(("x",))))
    assert [len(reader.deltas) for reader in readers] == [0, 1]


def test_bases_are_kept_only_while_somebody_uses_them() -> None:
    channel = at(0)
    member(channel)
    run(channel, flagged(1, LONG))
    assert channel._bases == {}
    reader = Reader(channel, JSON_MESSAGES, "a", None)
    run(channel, flagged(2, LONG))
    assert set(channel._bases) == {""}
    reader.leave()
    assert channel._bases == {}


def test_filters_that_match_nothing_leave_the_loop_its_turns() -> None:
    channel = at(0)
    for number in range(500):
        member(channel, tags=parse(b'{"key":"a","cmp":"eq","val":"%d"}' % number))
    assert sum(1 for _ in channel.publish(publications(1))) == 500


def test_a_filter_holds_back_and_the_position_goes_on() -> None:
    channel = at(0)
    inbox, everything = Inbox(), Inbox()
    tags = parse(b'{"key":"a","cmp":"eq","val":"x"}')
    filtered = member(channel, inbox, tags=tags)
    member(channel, everything)
    run(channel, Publication(b"1", offset=1, epoch="e", tags={"a": "y"}))
    run(channel, Publication(b"2", offset=2, epoch="e", tags={"a": "x"}))
    assert channel.offset == 2
    assert [json.loads(data)["push"]["pub"]["offset"] for data in inbox.got] == [2]
    assert len(everything.got) == 2
    channel.remove(filtered)
    run(channel, Publication(b"3", offset=3, epoch="e", tags={"a": "x"}))
    assert len(inbox.got) == 1


TEXT = st.text(alphabet='абв日😀👍🏽é\\"\n ', max_size=40)


@given(data=st.data())
def test_whatever_happens_everyone_with_deltas_reads_what_was_published(data: st.DataObject) -> None:
    channel, numbers = at(0), itertools.count()
    readers: list[Reader] = []
    stream: list[Publication] = []
    for _ in range(data.draw(st.integers(1, 14))):
        match data.draw(st.sampled_from(["publish", "publish", "publish", "join", "recover", "leave"])):
            case "publish":
                batch = []
                for _ in range(data.draw(st.integers(1, 3))):
                    names = [reader.name for reader in readers]
                    excluded = data.draw(st.sampled_from(names)) if names and data.draw(st.integers(0, 3)) == 0 else ""
                    text = LONG + data.draw(TEXT) + LONG
                    pub = flagged(len(stream) + 1, text, exclude_clients=(excluded,) if excluded else ())
                    batch.append(replace(pub, delta=data.draw(st.booleans())))
                    stream.append(pub)
                before = {reader.name: list(reader.texts) for reader in readers}
                run(channel, *batch)
                for reader in readers:
                    wanted = [pub.data.decode() for pub in batch if reader.name not in pub.exclude_clients]
                    assert reader.texts == before[reader.name] + wanted
            case "leave" if readers:
                readers.pop(data.draw(st.integers(0, len(readers) - 1))).leave()
            case kind:
                missed = stream[-data.draw(st.integers(1, 4)) :] if kind == "recover" and stream else []
                wire = data.draw(st.sampled_from([JSON_MESSAGES, PROTOBUF_MESSAGES]))
                name, recovered = f"r{next(numbers)}", answer(*missed) if missed else None
                readers.append(Reader(channel, wire, name, recovered))
                assert readers[-1].texts == [pub.data.decode() for pub in missed]


def test_who_recovered_what_took_another_one_s_place_has_another_base() -> None:
    channel = at(0)
    live = Reader(channel, JSON_MESSAGES, "live", None)
    run(channel, flagged(1, "begin " * 20), flagged(2, "a secret " * 20))
    replaced = flagged(2, "gone " * 20)
    late = Reader(channel, JSON_MESSAGES, "late", SubscribeReply("c", 1, StreamPosition("e", 2), True, [replaced]))
    run(channel, flagged(3, "a secret " * 20 + "more"), flagged(4, "a secret " * 20 + "and more"))
    assert late.texts[1:] == live.texts[2:]
    assert late.deltas == [False, False, True]
