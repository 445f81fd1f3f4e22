import json
from typing import Any

import pytest

from actors.brokers.contract import ClientInfo, Publication
from serve_app.realtime.channel import WRITES_PER_STEP, Channel
from serve_app.realtime.peer import Peer
from serve_app.realtime.wire import JSON_MESSAGES, Wire


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


def member(channel: Channel, inbox: Inbox | None = None, **options: bool) -> Any:
    added = peer(inbox)
    channel.add(added, **{"compact": False, "join_leave": False, "waiting": False, **options})
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
    list(channel.announce(ClientInfo("u", "c"), joined=True))
    list(channel.announce(ClientInfo("u", "c"), joined=False))
    info = {"info": {"user": "u", "client": "c"}}
    assert [json.loads(data)["push"] for data in wants.got] == [
        {"channel": "c", "join": info},
        {"channel": "c", "leave": info},
    ]
    assert json.loads(compact.got[0])["push"] == {"id": 1, "join": info}
    assert quiet.got == []
