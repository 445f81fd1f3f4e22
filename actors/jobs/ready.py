"""Which queues may have work, and whose: the owner asks for these and for no others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from actors.jobs.limits import Limits
from actors.jobs.turns import Found, Key, Room, Turns
from db.jobs.store import ClaimedRow, Line

KEYS_KNOWN: Final = 50_000
"""Keys with ready jobs that are kept in memory, some 200 bytes each; others are found in the table when these are
done."""

SERVED_KEPT: Final = 50_000
"""Keys whose last turn is remembered while they have nothing ready."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one claim asks for."""

    room: Mapping[str, int]
    """Jobs without a key, by queue."""
    lines: Sequence[Line]
    news: Mapping[str, Mapping[Key, int]]
    size: int


class ReadyQueues:
    """Queues that may have ready jobs, the longest unserved first, and in each the keys in the same order.

    Whoever makes a job ready says so (`hear_of`), and a look at the table from time to time finds what was not said.
    The order is in memory only: after a change of owner the keys of which something runs come last, and nothing else is
    remembered.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queues: dict[str, Turns] = {}
        self._served: dict[tuple[str, Key], int] = {}
        self._turn = 0
        self.keys = 0
        """How many keys with ready jobs are known."""
        self.overlooked = False
        """A key was not kept, because there were too many."""

    def hear_of(self, queues: Iterable[str], keys: Iterable[tuple[str, str]] = ()) -> None:
        """These queues may have ready jobs without a key, and these (queue, key) others. They keep their places."""
        for queue in queues:
            self._hear_of(queue, None)
        for queue, key in keys:
            if self.keys < KEYS_KNOWN:
                self.keys += self._hear_of(queue, key)
            else:
                self.overlooked = True

    def hear_of_one(self, queue: str, key: Key) -> None:
        """A job of this key may be ready."""
        if key is None:
            self.hear_of([queue])
        else:
            self.hear_of((), [(queue, key)])

    def remember(self, queue: str, key: Key) -> None:
        """The key is being served: a former owner did it."""
        self._turn += 1
        self._served.pop((queue, key), None)
        self._served[queue, key] = self._turn
        if len(self._served) > SERVED_KEPT:
            del self._served[next(iter(self._served))]

    def freed(self, queue: str, key: Key) -> None:
        """A lease of the key has ended."""
        turns = self._queues.get(queue)
        if turns is not None:
            turns.recall(key)

    def may_start(self, now: float) -> dict[str, int]:
        """How many jobs may start in each queue that may have some, in the order of their turns."""
        return {
            queue: count
            for queue, turns in self._queues.items()
            if turns.waiting(now) and (count := self._limits.of_queue(queue, now)) > 0
        }

    def next_in_s(self, now: float) -> float | None:
        """Seconds until a rate allows the next start of something that waits for it."""
        waits: list[float | None] = []
        for queue, turns in self._queues.items():
            waits.append(turns.wakes_in_s(now))
            if turns.waiting(now):
                waits.append(self._limits.queue_wait_s(queue, now))
        return min((seconds for seconds in waits if seconds), default=None)

    def ask(self, room: Mapping[str, Room], now: float) -> Round:
        """Whose jobs to claim into this room. To be handed to `answered`, or `unanswered`."""
        plain: dict[str, int] = {}
        lines: list[Line] = []
        news: dict[str, Mapping[Key, int]] = {}
        size = 0
        for queue, places in room.items():
            turns = self._queues[queue]
            asked = turns.ask(
                places,
                partial(self._limits.of_key, queue, now=now),
                partial(self._limits.runs, queue),
                partial(self._limits.key_wait_s, queue, now=now),
                now,
            )
            news[queue] = turns.news_of(asked)
            for key, jobs in asked.items():
                size += jobs
                if key is None:
                    plain[queue] = jobs
                else:
                    lines.append(Line(queue, key, jobs))
        return Round(plain, lines, news, size)

    def answered(self, asked: Round, rows: Sequence[ClaimedRow], now: float) -> bool:
        """These were claimed. What had nothing is forgotten until there is news of it, the others queue up again.

        Returns whether somebody gave way who had nothing, so that others should be asked at once.
        """
        found: dict[str, dict[Key, Found]] = {queue: {} for queue in asked.news}
        for row in rows:
            before = found[row.queue].get(row.key)
            # Of jobs without a key it is not known whether there are more: asking shows it.
            found[row.queue][row.key] = Found((before.count if before else 0) + 1, row.more or row.key is None)
        again = False
        for queue, news in asked.news.items():
            for key, answer in found[queue].items():
                self._limits.started(queue, key, answer.count, now)
            turns = self._queues.pop(queue)
            gone = turns.answered(news, found[queue], partial(self._had_turn, queue))
            self.keys -= sum(key is not None for key in gone)
            if len(turns):
                self._queues[queue] = turns
                again = again or bool(gone and turns.waiting(now))
        return again

    def unanswered(self, asked: Round) -> None:
        """The claim failed: everybody has the place that it had."""
        for queue, news in asked.news.items():
            self._queues[queue].unanswered(news)

    def _hear_of(self, queue: str, key: Key) -> bool:
        turns = self._queues.get(queue)
        if turns is None:
            turns = self._queues[queue] = Turns()
        return turns.hear_of(key, self._served.get((queue, key), 0))

    def _had_turn(self, queue: str, key: Key) -> int:
        self.remember(queue, key)
        return self._turn
