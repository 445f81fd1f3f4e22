"""Queues are asked in turns, and only while they may have something; so are the keys of each."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from actors.jobs import ready
from actors.jobs.contract import QueuePolicy, Rate
from actors.jobs.leases import LeaseBook
from actors.jobs.limits import Limits
from actors.jobs.ready import ReadyQueues, Round
from actors.jobs.turns import Room
from db.jobs.store import ClaimedRow, Line

NOW = 100.0


def queues(policies: Mapping[str, QueuePolicy] | None = None) -> ReadyQueues:
    return ReadyQueues(Limits(policies or {}, LeaseBook(0.0)))


def row(queue: str, key: str | None = None, *, more: bool = False) -> ClaimedRow:
    return ClaimedRow(uuid4(), 1, 1, queue, "k", {}, None, None, None, datetime.now(UTC), None, 0, key, more)


def ask(found: ReadyQueues, *names: str, room: int = 1) -> Round:
    found.may_start(NOW)
    return found.ask(dict.fromkeys(names, Room(room)), NOW)


def test_an_empty_queue_is_forgotten_until_there_is_news_of_it() -> None:
    found = queues()
    found.hear_of(["a", "b"])
    found.answered(ask(found, "a", "b"), [row("b")], NOW)
    assert list(found.may_start(NOW)) == ["b"]
    found.hear_of(["a"])
    assert list(found.may_start(NOW)) == ["b", "a"]


def test_news_that_came_while_it_was_asked_are_kept() -> None:
    found = queues()
    found.hear_of(["a"])
    asked = ask(found, "a")
    found.hear_of(["a"])
    found.answered(asked, [], NOW)
    assert list(found.may_start(NOW)) == ["a"]


def test_who_was_served_queues_up_again() -> None:
    found = queues()
    found.hear_of(["a", "b", "c"])
    found.answered(ask(found, "a", "b"), [row("a"), row("b")], NOW)
    assert list(found.may_start(NOW)) == ["c", "a", "b"]
    found.hear_of(["b"])
    assert list(found.may_start(NOW)) == ["c", "a", "b"], "news give no better place"


def test_jobs_without_a_key_are_asked_as_ever_and_keys_beside_them_in_turns() -> None:
    found = queues()
    found.hear_of(["a", "b"], [("b", "x"), ("b", "y")])
    asked = ask(found, "a", "b", room=2)
    assert (asked.room, asked.lines, asked.size) == ({"a": 2, "b": 1}, [Line("b", "x", 1)], 4)
    found.answered(asked, [row("a"), row("b"), row("b", "x", more=True)], NOW)
    assert ask(found, "b", room=2).lines == [Line("b", "y", 1)]


def test_a_key_that_comes_back_has_not_become_the_longest_unserved() -> None:
    """Else whoever adds one job at a time would be served each time, before those who wait with many."""
    found = queues()
    found.hear_of((), [("q", "drip"), ("q", "b"), ("q", "c")])
    for key, more in (("drip", False), ("b", True)):
        asked = ask(found, "q")
        assert asked.lines == [Line("q", key, 1)]
        found.answered(asked, [row("q", key, more=more)], NOW)
        found.hear_of((), [("q", "drip")])
    assert ask(found, "q").lines == [Line("q", "c", 1)]


def test_after_a_change_of_owner_who_is_running_comes_last() -> None:
    found = queues()
    found.remember("q", "a")
    found.hear_of((), [("q", "a"), ("q", "b")])
    assert ask(found, "q").lines == [Line("q", "b", 1)]


def test_when_somebody_had_nothing_the_others_are_asked_at_once() -> None:
    found = queues()
    found.hear_of((), [("q", "a"), ("q", "b")])
    assert found.answered(ask(found, "q"), [], NOW)
    assert not found.answered(ask(found, "q"), [], NOW), "nobody is left"
    assert found.keys == 0
    assert found.may_start(NOW) == {}


def test_a_claim_that_failed_changes_nothing() -> None:
    found = queues()
    found.hear_of(["a"], [("a", "x")])
    found.unanswered(ask(found, "a", room=9))
    assert ask(found, "a", room=9).size == 9


def test_a_queue_whose_rate_is_used_up_is_left_out_and_says_when_it_goes_on() -> None:
    found = queues({"q": QueuePolicy(rate=Rate(1, per_s=5.0)), "r": QueuePolicy(rate_per_key=Rate(1, per_s=3.0))})
    found.hear_of(["q"], [("r", "x")])
    found.answered(ask(found, "q", "r"), [row("q"), row("r", "x", more=True)], NOW)
    assert list(found.may_start(NOW)) == ["r"], "it is not known yet that its only key has to wait"
    assert ask(found, "r").size == 0
    assert found.may_start(NOW) == {}
    assert found.next_in_s(NOW + 1.0) == 2.0
    assert list(found.may_start(NOW + 3.0)) == ["r"]
    assert found.next_in_s(NOW + 3.0) == 2.0
    assert list(found.may_start(NOW + 5.0)) == ["q", "r"]
    assert found.next_in_s(NOW + 5.0) is None


def test_memory_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "KEYS_KNOWN", 3)
    monkeypatch.setattr(ready, "SERVED_KEPT", 2)
    found = queues()
    found.hear_of(["q"], [("q", f"k{n}") for n in range(5)])
    assert (found.keys, found.overlooked) == (3, True)
    found.answered(ask(found, "q", room=9), [row("q", f"k{n}") for n in range(3)], NOW)
    assert found.keys == 0
    assert list(found._served) == [("q", "k1"), ("q", "k2")]
