"""Whose jobs may wait in one queue, and whose turn it is."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Key = str | None
"""None: the jobs without a key, which count as one key of their own."""


@dataclass(slots=True)
class _Line:
    served: int
    """The turn in which it was served last; 0: never, as far as anybody remembers."""
    heard: int
    news: int = 0
    aside: bool = False
    """It may not start anything now, and waits beside the row."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many jobs of a queue a node can take now."""

    places: int
    kept: int = 0
    """So many of these are not for a key of which something runs already, nor for a second job of any."""


@dataclass(frozen=True, slots=True)
class Found:
    """What asking a line has brought."""

    count: int
    more: bool
    """Whether it may have others ready."""


class Turns:
    """The lines of one queue, each of one key, the longest unserved first.

    A line is known while it may have ready jobs. It is either in the row, or asked just now, or aside because its key
    may not start anything: then it is not looked at until a lease of the key ends or its time has come. So a round
    costs what it asks, however many lines are blocked and however many jobs wait in each.
    """

    def __init__(self) -> None:
        self._lines: dict[Key, _Line] = {}
        self._row: list[tuple[int, int, Key]] = []
        self._asleep: list[tuple[float, int, Key]] = []
        self._heard = 0

    def __len__(self) -> int:
        return len(self._lines)

    def hear_of(self, key: Key, served: int) -> bool:
        """It may have ready jobs, and was served last in that turn. Returns whether the line was not known."""
        line = self._lines.get(key)
        if line is not None:
            line.news += 1
            return False
        self._heard += 1
        line = self._lines[key] = _Line(served, self._heard)
        self._queue_up(key, line)
        return True

    def waiting(self, now: float) -> int:
        """How many lines may be asked."""
        while self._asleep and self._asleep[0][0] <= now:
            self.recall(heapq.heappop(self._asleep)[2])
        return len(self._row)

    def wakes_in_s(self, now: float) -> float | None:
        """Seconds until the time of the next line that waits for one."""
        return max(0.0, self._asleep[0][0] - now) if self._asleep else None

    def ask(
        self,
        room: Room,
        allowed: Callable[[Key], int],
        runs: Callable[[Key], bool],
        wait_s: Callable[[Key], float],
        now: float,
    ) -> dict[Key, int]:
        """Take lines out of the row for as many jobs: one of each key before many of any. Hand them to `answered`.

        Of keys that may start something (`allowed`, or after `wait_s`), those of which nothing `runs` may have the
        places that are kept. Jobs without a key may have them too: they are nobody's.
        """
        left, shared = room.places, room.places - room.kept
        asked: dict[Key, int] = {}
        most: dict[Key, int] = {}
        passed: list[tuple[int, int, Key]] = []
        while self._row and left > 0:
            entry = heapq.heappop(self._row)
            _, heard, key = entry
            may_start = allowed(key)
            if may_start <= 0:
                self._lines[key].aside = True
                if (seconds := wait_s(key)) > 0:
                    heapq.heappush(self._asleep, (now + seconds, heard, key))
            elif key is not None and shared <= 0 and runs(key):
                passed.append(entry)
            else:
                asked[key], most[key] = 1, may_start
                left, shared = left - 1, shared - 1
        for entry in passed:
            heapq.heappush(self._row, entry)
        while wanting := [key for key in asked if asked[key] < most[key] and (left if key is None else shared) > 0]:
            each = max(1, left // len(wanting))
            for key in wanting:
                more = min(each, most[key] - asked[key], left if key is None else shared)
                if more > 0:
                    asked[key] += more
                    left, shared = left - more, shared - more
        return asked

    def news_of(self, keys: Iterable[Key]) -> dict[Key, int]:
        """To be handed to `answered`: what is known before these are asked."""
        return {key: self._lines[key].news for key in keys}

    def answered(self, news: Mapping[Key, int], found: Mapping[Key, Found], turn: Callable[[Key], int]) -> list[Key]:
        """These were asked. The empty ones are forgotten, unless there was news meanwhile; the served queue up again.

        `turn` numbers a turn that was had. Returns the keys that are forgotten.
        """
        gone = []
        for key, known in news.items():
            line, answer = self._lines[key], found.get(key)
            if answer is not None and answer.count:
                line.served = turn(key)
            if (answer is not None and answer.more) or line.news != known:
                self._queue_up(key, line)
            else:
                del self._lines[key]
                gone.append(key)
        return gone

    def unanswered(self, keys: Iterable[Key]) -> None:
        """These could not be asked: they have their places again."""
        for key in keys:
            self._queue_up(key, self._lines[key])

    def recall(self, key: Key) -> None:
        """What the key may start has changed."""
        line = self._lines.get(key)
        if line is not None and line.aside:
            line.aside = False
            self._queue_up(key, line)

    def _queue_up(self, key: Key, line: _Line) -> None:
        heapq.heappush(self._row, (line.served, line.heard, key))
