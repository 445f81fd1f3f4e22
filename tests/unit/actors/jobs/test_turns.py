"""Whose turn it is in one queue."""

from collections.abc import Iterable

from actors.jobs.turns import Found, Key, Room, Turns


class Queue:
    """Turns, with a number for each turn and jobs behind them."""

    def __init__(self, jobs: dict[Key, int]) -> None:
        self.turns, self.jobs, self.served = Turns(), dict(jobs), 0
        self.blocked: set[Key] = set()
        self.running: set[Key] = set()
        self.wait_s: dict[Key, float] = {}
        self.now = 0.0
        self.hear_of(jobs)

    def hear_of(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.turns.hear_of(key, 0)

    def ask(self, room: int, most: int = 99, kept: int = 0) -> dict[Key, int]:
        self.turns.waiting(self.now)
        return self.turns.ask(
            Room(room, kept),
            lambda key: 0 if key in self.blocked or self.wait_s.get(key, 0) > 0 else most,
            lambda key: key in self.running,
            lambda key: self.wait_s.get(key, 0.0),
            self.now,
        )

    def take(self, room: int, most: int = 99, kept: int = 0) -> dict[Key, int]:
        asked = self.ask(room, most, kept)
        news = self.turns.news_of(asked)
        found = {}
        for key, count in asked.items():
            got = min(count, self.jobs.get(key, 0))
            self.jobs[key] = self.jobs.get(key, 0) - got
            if got:
                found[key] = Found(got, self.jobs[key] > 0)
        self.turns.answered(news, found, self.turn)
        return {key: answer.count for key, answer in found.items()}

    def turn(self, key: Key) -> int:
        self.served += 1
        return self.served


def test_who_came_first_is_asked_first_and_the_longest_unserved_then() -> None:
    queue = Queue({"a": 9, "b": 9, "c": 9})
    assert [list(queue.take(2)) for _ in range(4)] == [["a", "b"], ["c", "a"], ["b", "c"], ["a", "b"]]
    queue.jobs["d"] = 9
    queue.hear_of(["d"])
    assert list(queue.take(2)) == ["d", "c"], "who was never served goes first"


def test_one_of_each_key_before_many_of_any() -> None:
    queue = Queue({"many": 2_000, "few": 3, "one": 1})
    assert queue.take(16) == {"many": 6, "few": 3, "one": 1}
    assert queue.take(16) == {"many": 16}, "the others had no more, and are not asked again"


def test_no_more_of_a_key_than_it_may_start() -> None:
    queue = Queue({"a": 9, "b": 9})
    assert queue.take(8, most=2) == {"a": 2, "b": 2}


def test_kept_places_are_for_keys_of_which_nothing_runs_and_one_job_of_each() -> None:
    queue = Queue({"busy": 99})
    assert queue.take(8, kept=2) == {"busy": 6}
    queue.running = {"busy"}
    assert queue.take(2, kept=2) == {}
    queue.jobs |= {"quiet": 5}
    queue.hear_of(["quiet"])
    assert queue.take(2, kept=2) == {"quiet": 1}, "the other one is for somebody else"
    queue.running = {"busy", "quiet"}
    assert queue.take(1, kept=1) == {}
    assert queue.take(3, kept=1) == {"busy": 1, "quiet": 1}, "they kept their places in the row"


def test_a_queue_whose_jobs_have_no_key_uses_all_its_places() -> None:
    queue = Queue({None: 99})
    queue.running = {None}
    assert queue.take(8, kept=2) == {None: 8}
    queue.jobs |= {"a": 9}
    queue.hear_of(["a"])
    assert queue.take(8, kept=2) == {None: 4, "a": 4}


def test_who_had_nothing_is_forgotten_until_there_is_news_of_it() -> None:
    queue = Queue({"a": 0, None: 1})
    assert queue.take(4) == {None: 1}
    assert len(queue.turns) == 0
    queue.jobs["a"] = 1
    queue.hear_of(["a"])
    assert queue.take(4) == {"a": 1}


def test_news_that_came_while_it_was_asked_are_kept() -> None:
    queue = Queue({"a": 0})
    asked = queue.ask(1)
    news = queue.turns.news_of(asked)
    queue.hear_of(["a"])
    assert queue.turns.answered(news, {}, queue.turn) == []
    assert queue.turns.waiting(0.0) == 1


def test_who_could_not_be_asked_keeps_its_place() -> None:
    queue = Queue({"a": 9, "b": 9})
    queue.turns.unanswered(queue.ask(1))
    assert list(queue.take(2)) == ["a", "b"]


def test_who_may_start_nothing_stands_aside_until_it_is_recalled() -> None:
    queue = Queue(dict.fromkeys("abcd", 9))
    queue.blocked = {"a", "b"}
    assert list(queue.take(1)) == ["c"]
    assert queue.turns.waiting(0.0) == 2, "those aside are not looked at"
    queue.hear_of(["a"])
    queue.turns.recall("c")
    assert queue.turns.waiting(0.0) == 2
    queue.blocked.clear()
    queue.turns.recall("a")
    queue.turns.recall("nobody")
    assert list(queue.take(1)) == ["a"], "with the place that it had"


def test_who_waits_for_its_time_comes_back_by_itself() -> None:
    queue = Queue({"a": 9, None: 9})
    queue.wait_s = {"a": 2.0, None: 1.0}
    assert queue.take(2) == {}
    assert queue.turns.wakes_in_s(0.0) == 1.0
    queue.wait_s, queue.now = {"a": 1.0}, 1.0
    assert queue.take(1) == {None: 1}
    queue.wait_s, queue.now = {}, 2.0
    assert list(queue.take(1)) == ["a"]
    assert queue.turns.wakes_in_s(2.0) is None
