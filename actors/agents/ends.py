"""How attempts ended, until the owner has written it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from actors.jobs.contract import Outcome, Token

FINISH_BATCH: Final = 500
FINISH_BYTES: Final = 4 * 2**20
"""Outcomes of one call: few enough to be sent and written in time. What is left follows at once."""

OUTCOME_BYTES: Final = 2**20
"""The runner keeps results far below this."""

AGAIN_S: Final = 0.5
"""After so long the owner is asked again to write what it could not: a transaction of the job's own may hold it, or the
database is away."""


class Ends:
    """Outcomes that are not acknowledged yet, the oldest first. What could not be written holds up nothing else."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outcomes: dict[Token, Outcome] = {}
        self._put_off: dict[Token, float] = {}
        """Not to be sent before then."""
        self._added = asyncio.Event()

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._outcomes)

    def __contains__(self, token: Token) -> bool:
        return token in self._outcomes

    def add(self, outcome: Outcome) -> Outcome:
        """An attempt has ended. An outcome that cannot be sent is refused: it travels with those of others.

        Returns what is sent.
        """
        token = outcome.token
        try:
            size = len(msgspec.msgpack.encode(outcome))
        except Exception as reason:
            wrong = f"{reason!a}"[:500]
        else:
            wrong = f"{size} bytes, where {OUTCOME_BYTES} are allowed" if size > OUTCOME_BYTES else ""
        if wrong:
            outcome = Outcome(token=token, state="refused", error=f"its outcome cannot be sent: {wrong}")
        self._outcomes[token] = outcome
        self._added.set()
        return outcome

    def drop(self, tokens: Iterable[Token]) -> None:
        """These are written, or nobody's business any more."""
        for token in tokens:
            self._outcomes.pop(token, None)
            self._put_off.pop(token, None)

    def put_off(self, tokens: Iterable[Token]) -> None:
        """These could not be written just now."""
        until = self._clock() + AGAIN_S
        self._put_off.update((token, until) for token in tokens if token in self._outcomes)

    def hurry(self) -> None:
        """There is no later."""
        self._put_off.clear()

    async def wait(self) -> None:
        """Until there is something to send."""
        while next(self._due(), None) is None:
            pause = min(self._put_off.values(), default=None)
            self._added.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if pause is None else max(0.01, pause - self._clock())):
                    await self._added.wait()

    def batch(self) -> list[Outcome]:
        """What one call carries: the oldest, of bounded number and size."""
        outcomes: list[Outcome] = []
        size = 0
        for outcome in self._due():
            size += len(msgspec.msgpack.encode(outcome))
            if outcomes and (size > FINISH_BYTES or len(outcomes) == FINISH_BATCH):
                break
            outcomes.append(outcome)
        return outcomes

    def _due(self) -> Iterator[Outcome]:
        now = self._clock()
        return (outcome for token, outcome in self._outcomes.items() if self._put_off.get(token, now) <= now)
