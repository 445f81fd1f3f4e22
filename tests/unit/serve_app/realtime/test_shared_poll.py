"""Keys of one channel: who tracks them, what is known of them, what is asked and what is told."""

import msgspec
import pytest

from actors.protocol import codes
from actors.protocol.namespaces import Namespaces
from serve_app.realtime.handlers import PolledItem
from serve_app.realtime.peer import Peer
from serve_app.realtime.shared_poll import SharedPoll
from tests.fixtures.hub import FakeSocket
from tests.fixtures.polls import CHANNEL, POLL_NAMESPACES
from tests.fixtures.realtime import Driver


def peer() -> Peer:
    return Peer(Driver().connection, FakeSocket())


@pytest.fixture
def poll() -> SharedPoll:
    options = Namespaces.parse(POLL_NAMESPACES).for_channel(CHANNEL).shared_poll
    assert options is not None
    return SharedPoll(CHANNEL, options)


def told(poll: SharedPoll, *items: PolledItem) -> list[tuple[str, int, int]]:
    """(key, version, peers) of what an answer changes."""
    changes = poll.learned(poll.checked(items))
    return [(change.publication.key, change.publication.version, len(change.peers)) for change in changes]


def test_a_value_goes_to_those_who_track_its_key(poll: SharedPoll) -> None:
    one, two = peer(), peer()
    poll.track(one, {"a": 0, "b": 0}, {})
    poll.track(two, {"b": 0}, {})
    assert told(poll, PolledItem("a", 1, b"1"), PolledItem("b", 5, b"2")) == [("a", 1, 1), ("b", 5, 2)]


def test_what_is_not_newer_or_not_tracked_goes_to_nobody(poll: SharedPoll) -> None:
    poll.track(peer(), {"a": 0}, {})
    told(poll, PolledItem("a", 2, b"1"))
    assert told(poll, PolledItem("a", 2, b"1"), PolledItem("a", 1, b"0"), PolledItem("z", 9, b"1")) == []


def test_newcomers_get_what_they_do_not_have(poll: SharedPoll) -> None:
    poll.track(peer(), {"a": 0, "b": 0}, {})
    told(poll, PolledItem("a", 2, b"1"), PolledItem("b", 3, b"2"))
    newer = poll.track(peer(), {"a": 2, "b": 2, "c": 0}, {})
    assert not isinstance(newer, codes.ErrorCode)
    assert [(each.key, each.version) for each in newer] == [("b", 3)]


def test_asking_is_in_portions_with_the_known_versions(poll: SharedPoll) -> None:
    poll.track(peer(), dict.fromkeys("abcd", 0), {})
    told(poll, PolledItem("a", 2, b"1"))
    assert list(poll.batches(list(poll.keys))) == [{"a": 2, "b": 0, "c": 0}, {"d": 0}]
    assert list(poll.batches(["gone", "a"])) == [{"a": 2}]
    assert list(poll.batches(["gone"])) == []


def test_only_what_was_asked_for_is_fresh_no_more(poll: SharedPoll) -> None:
    poll.track(peer(), {"a": 0, "b": 0}, {})
    poll.asked(["a", "gone"])
    assert list(poll.fresh) == ["b"]


def test_a_removed_key_is_forgotten(poll: SharedPoll) -> None:
    one, two = peer(), peer()
    poll.track(one, {"a": 0, "b": 0}, {})
    poll.track(two, {"a": 0}, {})
    assert told(poll, PolledItem("a", 4, removed=True)) == [("a", 4, 2)]
    assert list(poll.keys) == ["b"]
    assert list(poll.trackers) == [one]
    poll.track(two, {"a": 0}, {})
    assert "a" in poll.fresh


def test_the_last_to_leave_takes_the_key_along(poll: SharedPoll) -> None:
    one, two = peer(), peer()
    poll.track(one, {"a": 0, "b": 0}, {})
    poll.track(two, {"a": 0}, {})
    poll.untrack(one, ["a", "unknown"])
    assert list(poll.keys) == ["a", "b"]
    poll.forget(two)
    assert list(poll.keys) == ["b"]
    poll.forget(one)
    poll.forget(one)
    assert (poll.keys, poll.trackers, poll.fresh) == ({}, {}, {})


def test_limits_refuse_all_of_a_request(poll: SharedPoll) -> None:
    one, two, three = peer(), peer(), peer()
    assert poll.track(one, dict.fromkeys("abcde", 0), {}) is codes.ERROR_LIMIT_EXCEEDED
    assert poll.keys == {}
    assert poll.track(one, dict.fromkeys("abcd", 0), {}) == []
    assert poll.track(one, {"e": 0}, {}) is codes.ERROR_LIMIT_EXCEEDED
    assert poll.track(one, {"e": 0, "f": 0}, {}, ["a", "f"]) == []
    assert poll.track(two, {"b": 0, "x": 0, "y": 0}, {}) == []
    assert poll.track(three, {"z": 0}, {}) is codes.ERROR_LIMIT_EXCEEDED
    assert three not in poll.trackers


def test_keys_end_with_their_signature(poll: SharedPoll) -> None:
    one = peer()
    poll.track(one, {"a": 0, "b": 0, "c": 0}, {"a": 10.0, "b": 20.0})
    tracker = poll.trackers[one]
    assert tracker.end == 10.0
    poll.expire(tracker, 10.0)
    assert (list(poll.keys), tracker.end) == (["b", "c"], 20.0)
    poll.track(one, {"b": 0}, {})
    assert tracker.end is None


@pytest.mark.parametrize(
    "item",
    [
        PolledItem("a", 0, b"1"),
        PolledItem("a", 2**63, b"1"),
        PolledItem("a", 9),
        PolledItem("a", 2**63, removed=True),
        PolledItem("a", -1, removed=True),
        PolledItem("a", 9, b"no json"),
        PolledItem("a", 9, b'"' + b"x" * 200 + b'"'),
    ],
)
def test_a_bad_value_is_left_out_and_the_others_are_told(poll: SharedPoll, item: PolledItem) -> None:
    poll.track(peer(), {"a": 0, "b": 0}, {})
    assert told(poll, item, PolledItem("b", 1, b"1")) == [("b", 1, 1)]


def test_no_answer_at_all_changes_nothing(poll: SharedPoll) -> None:
    poll.track(peer(), {"a": 0, "b": 0}, {})
    with pytest.raises(AttributeError):
        poll.checked([PolledItem("a", 1, b"1"), None])  # type: ignore[list-item]
    assert [known.version for known in poll.keys.values()] == [0, 0]
    assert list(poll.fresh) == ["a", "b"]


def test_values_travel_on_one_line(poll: SharedPoll) -> None:
    poll.track(peer(), {"a": 0}, {})
    told(poll, PolledItem("a", 1, b'{\n"n": 1\n}'))
    value = poll.keys["a"].value
    assert value is not None
    assert b"\n" not in value.data
    assert msgspec.json.decode(value.data) == {"n": 1}
