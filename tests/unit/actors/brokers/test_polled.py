"""Whose turn it is to ask for a key: everybody's once per interval together, whatever happens to them."""

import itertools

import pytest

from actors.brokers import polled as module
from actors.brokers.poll_wire import PollValue
from actors.brokers.polled import LEASE_S, Polled
from actors.protocol.namespace_groups import SharedPollOptions


@pytest.fixture
def polled() -> Polled:
    return Polled(SharedPollOptions(callback="c", interval_ms=1000, batch_size=4, max_keys=6))


def claim(polled, now, **keys):
    return polled.claim(keys, now)[0]


def test_the_first_to_come_asks_and_the_others_hear_of_it(polled):
    assert claim(polled, 0.0, a=0, b=0) == {"a": 0, "b": 0}
    assert claim(polled, 0.1, a=0, b=0) == {}
    news = polled.report(["a", "b"], [PollValue("a", 3, b"1")], 0.2)
    assert news == [PollValue("a", 3, b"1")]
    assert polled.claim({"a": 0, "b": 0}, 0.5) == ({}, [PollValue("a", 3, b"1")])
    assert polled.claim({"a": 3}, 0.6) == ({}, [])
    assert claim(polled, 1.0, a=3, b=0) == {"a": 3, "b": 0}, "the one who asks regularly goes on"
    assert polled.report(["a", "b"], [PollValue("a", 3, b"1")], 1.1) == []


def test_whoever_goes_on_after_the_one_who_asked_has_gone(polled):
    claim(polled, 0.0, a=0)
    assert claim(polled, LEASE_S - 0.1, a=0) == {}
    assert claim(polled, LEASE_S, a=0) == {"a": 0}


def test_keys_of_others_come_along_in_one_call(polled):
    for name in "abcdef":
        claim(polled, 0.0, **{name: 0})
        polled.report([name], [], 0.0)
    assert claim(polled, 1.0, a=0) == {"a": 0, "b": 0, "c": 0, "d": 0}, "as many as a call may have"
    assert claim(polled, 1.1, b=0) == {}
    assert claim(polled, 1.2, e=0) == {"e": 0}
    # Nobody has claimed it for a while: it is not asked for because others are.
    polled.report("abcde", [], 1.2)
    assert "f" not in claim(polled, 2.6, a=0, b=0)


def test_a_removed_key_is_forgotten_and_told(polled):
    claim(polled, 0.0, a=0)
    polled.report(["a"], [PollValue("a", 1, b"1")], 0.0)
    gone = PollValue("a", 2, removed=True)
    assert polled.report([], [gone], 0.1) == [gone]
    assert (polled.keys, polled.bytes) == ({}, 0)
    assert claim(polled, 0.2, a=0) == {"a": 0}


def test_a_backend_that_fails_is_asked_later_and_later_by_all_together(polled):
    now, asked = 0.0, []
    while now < 200.0:
        if claim(polled, now, a=0) or claim(polled, now, a=0):
            asked.append(now)
            polled.report(["a"], [], now)
            polled.ended(failed=True, now=now)
        now += 0.5
    assert [round(b - a) for a, b in itertools.pairwise(asked)] == [2, 4, 8, 14, 29, 54, 54]
    polled.ended(failed=False, now=now)
    assert claim(polled, now, a=0) == {"a": 0}


def test_its_memory_is_bounded(polled, monkeypatch):
    monkeypatch.setattr(module, "VALUES_BYTES", 10)
    assert len(claim(polled, 0.0, **dict.fromkeys("abcdefgh", 0))) == 8
    assert len(polled.keys) == 6, "beyond that, everybody asks for themselves"
    polled.report("abcdef", [PollValue(name, 1, b"1234") for name in "abc"], 0.0)
    assert polled.bytes == 8
    ask, values = polled.claim({"a": 0, "c": 0}, 0.1)
    assert (ask, [value.key for value in values]) == ({"c": 0}, ["a"]), "what is not kept is asked for"
    assert claim(polled, 0.2, c=0) == {}
    monkeypatch.setattr(module, "ANSWER_BYTES", 4)
    assert [value.key for value in polled.claim({"a": 0, "b": 0}, 0.3)[1]] == ["a"], "the rest comes with the next"
    # Nobody claims them for long.
    claim(polled, 1_000.0, z=0)
    assert set(polled.keys) == set()
    assert claim(polled, 1_001.0, z=0) == {"z": 0}
    assert (set(polled.keys), polled.bytes) == ({"z"}, 0)
