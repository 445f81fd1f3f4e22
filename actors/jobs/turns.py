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
        self, room: int, allowed: Callable[[Key], int], wait_s: Callable[[Key], float], now: float
    ) -> dict[Key, int]:
        """Take lines out of the row for `room` jobs: one of each key before many of any. Hand them to `answered`."""
        asked: dict[Key, int] = {}
        most: dict[Key, int] = {}
        while self._row and len(asked) < room:
            _, heard, key = heapq.heappop(self._row)
            may_start = allowed(key)
            if may_start > 0:
                asked[key], most[key] = 1, may_start
                continue
            self._lines[key].aside = True
            if (seconds := wait_s(key)) > 0:
                heapq.heappush(self._asleep, (now + seconds, heard, key))
        left = room - len(asked)
        while left > 0:
            wanting = [key for key, count in asked.items() if count < most[key]]
            if not wanting:
                break
            each = max(1, left // len(wanting))
            for key in wanting:
                more = min(each, most[key] - asked[key], left)
                asked[key] += more
                left -= more
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
