"""Two processes for one host: one is active, the other stands by, and never both answer (DESIGN §5, 6 and 7).

The active one asks the other for leave every half second and answers calls only for as long as the last leave lasts,
counted from before it asked. Who gives leave promises not to take over for longer than that. So a process that was
stopped, or cut off, finds its lease over before it says another word, whoever has taken over meanwhile. A process that
is certainly dead needs no waiting: its end is noticed at once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Protocol

import msgspec
import structlog

from actors.links import incarnations

BEAT_S: Final = 0.5
LEASE_S: Final = 4.0
"""The active one answers calls this long after it last asked for leave."""

SILENCE_S: Final = 6.0
"""The standby takes over after this much silence. The difference to the lease is what clocks may drift by; both are
long enough for a busy laptop, because a take-over costs memory channels their history (rule 24)."""

ASK_DEADLINE_S: Final = 1.0

UNANSWERED_LIMIT: Final = 2
"""After this many asks a standby on the same node that answers none of them is ended, while the lease still runs: it is
needed for nothing but its leave, and a process that stands still gives none."""

logger = structlog.get_logger(__name__)


class Claim(msgspec.Struct, frozen=True):
    """What one process of a pair says of itself."""

    side: int
    active: bool
    term: int
    """Of two active ones, the greater term is right."""
    pid: int
    node: str
    shards: list[tuple[str, int, int]] = []
    """(kind, shard, shards) that it hosts, or would."""
    line: str = ""
    """host:port/name of its line (`actors.hosts.line`), for a process on another node."""


class Life(StrEnum):
    """What is known of the other process without asking it."""

    UNKNOWN = "unknown"
    DEAD = "dead"
    """Certainly: it runs no more."""
    ABSENT = "absent"
    """There is no such process, and Ray makes none by itself."""


class Other(Protocol):
    """The other process of the pair. Both questions raise when it does not answer, TimeoutError at our own deadline."""

    async def look(self, timeout_s: float) -> Claim:
        """Its claim."""

    async def ask_leave(self, claim: Claim, timeout_s: float) -> Claim:
        """Ask for leave to go on; answers its claim. An active one with a greater term refuses by being that."""

    async def life(self) -> Life:
        """Whether it is certainly gone."""

    def watch(self, claim: Claim, on_death: Callable[[], None]) -> None:
        """Be told when the process of this claim ends."""

    async def end(self, claim: Claim) -> None:
        """End a process that does not answer, so that nothing of it is left. On the same node its life is then DEAD."""


class Pair:
    """One side of a pair. `activate(shards)` begins to host; `step_down()` must end this process's part in it for good.

    Without another process it is active from the start and needs nobody's leave.
    """

    def __init__(
        self,
        claim: Claim,
        other: Other | None,
        *,
        activate: Callable[[list[tuple[str, int, int]]], Awaitable[None]],
        step_down: Callable[[], None],
        shards: Callable[[], list[tuple[str, int, int]]] = list,
        line: Callable[[], str] = str,
    ) -> None:
        self.active = False
        self._me = claim
        self._other = other
        self._activate = activate
        self._step_down = step_down
        self._shards = shards
        self._line = line
        self._term = 0
        self._leave_at = float("-inf")
        self._heard: Claim | None = None
        """The last claim of the other one when it was active."""
        self._heard_at = float("-inf")
        self._standby: Claim | None = None
        """The last claim of the other one when it gave leave."""
        self._unanswered = 0
        self._wake = asyncio.Event()
        self._activated = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def claim(self) -> Claim:
        """What this side says of itself."""
        line, shards = self._line(), self._shards()
        return msgspec.structs.replace(self._me, active=self.active, term=self._term, shards=shards, line=line)

    async def start(self) -> None:
        """Find out which side is active, and go on from there."""
        if self._other is None:
            await self._take_over("alone", certain=True)
            return
        self._heard_at = asyncio.get_running_loop().time()
        self._running = asyncio.create_task(self._run(), name=f"pair-{self._me.side}")

    async def stop(self) -> None:
        """End the watch."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def may_answer(self) -> bool:
        """Whether calls may be answered now: this side is active and its lease runs."""
        if not self.active:
            return False
        return self._other is None or asyncio.get_running_loop().time() - self._leave_at < LEASE_S

    def lease_left(self) -> float | None:
        """Seconds for which calls may still be answered without new leave; None: standing by, or alone."""
        if not self.active or self._other is None:
            return None
        return max(0.0, self._leave_at + LEASE_S - asyncio.get_running_loop().time())

    async def wait_active(self, timeout_s: float) -> bool:
        """Wait until this side may answer; False when it does not become so in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._activated.wait()
        return self.may_answer()

    def give_leave(self, claim: Claim) -> Claim:
        """The other side asks for leave. Giving it is the promise not to take over for `SILENCE_S`."""
        incarnations.not_before(claim.term)
        if self.active:
            if claim.term > self._term:
                self._depose(claim)
        else:
            self._hear(claim)
        return self.claim

    # The watch --------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                if self.active:
                    await self._beat()
                else:
                    await self._watch()
            except Exception:
                logger.exception("watch failed", side=self._me.side)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()

    async def _beat(self) -> None:
        other = self._peer()
        asked_at = asyncio.get_running_loop().time()
        try:
            answer = await other.ask_leave(self.claim, ASK_DEADLINE_S)
        except Exception as reason:
            self._unanswered += 1
            if self._is_held_up():
                await self._end_standby()
            if await other.life() is not Life.UNKNOWN:
                # Nobody can take over who does not exist; who is made anew waits for `SILENCE_S` first.
                self._leave_at = asked_at
            elif not self.may_answer():
                logger.warning("lease is over", side=self._me.side, reason=repr(reason))
            return
        self._unanswered, self._standby = 0, answer
        incarnations.not_before(answer.term)
        other.watch(answer, self._wake.set)
        if answer.active and answer.term > self._term:
            self._depose(answer)
        else:
            self._leave_at = asked_at

    def _is_held_up(self) -> bool:
        """Whether the other one is what keeps this side from leave, and cannot have taken over.

        Only while the lease runs. A side that finds it over may itself have been the one that stood still, and what it
        would end is active by now. Only on the same node: elsewhere the order might arrive after a cut has healed.
        """
        standby = self._standby
        if standby is None or standby.node != self._me.node or not self.may_answer():
            return False
        return self._unanswered >= UNANSWERED_LIMIT

    async def _end_standby(self) -> None:
        standby, self._standby = self._standby, None
        if standby is not None:
            logger.warning("ending the standby, which does not answer", side=self._me.side, pid=standby.pid)
            await self._peer().end(standby)

    async def _watch(self) -> None:
        other = self._peer()
        life = await other.life()
        if life is not Life.UNKNOWN:
            await self._take_over(f"the other process is {life}", certain=True)
            return
        now = asyncio.get_running_loop().time()
        if self._heard is not None and now - self._heard_at < 2 * BEAT_S:
            return
        try:
            answer = await other.look(ASK_DEADLINE_S)
        except Exception as reason:
            certain = await other.life() is not Life.UNKNOWN
            if certain or asyncio.get_running_loop().time() - self._heard_at > SILENCE_S:
                await self._take_over(f"the other process does not answer: {reason!r}", certain=certain)
            return
        if self.active:
            return
        if answer.active:
            self._hear(answer)
        elif self._me.side < answer.side:
            # Neither is active: this is the first start, or both were lost at once.
            await self._take_over("both processes stand by", certain=True)

    def _hear(self, claim: Claim) -> None:
        self._heard = claim
        self._heard_at = asyncio.get_running_loop().time()
        self._peer().watch(claim, self._wake.set)

    async def _take_over(self, why: str, *, certain: bool) -> None:
        # No await between the decision and being active: leave that was given in between would be a broken promise.
        heard = self._heard
        if heard is not None:
            incarnations.not_before(heard.term)
        self._term = incarnations.term()
        self._leave_at = asyncio.get_running_loop().time()
        self.active = True
        logger.warning("active from here on", side=self._me.side, term=self._term, why=why)
        await self._activate(heard.shards if heard is not None else [])
        self._activated.set()
        if not certain and heard is not None and self._other is not None:
            # It may wake up again; its lease is over by then. Once it is gone, its callers notice at once.
            await self._other.end(heard)

    def _depose(self, claim: Claim) -> None:
        logger.warning("the other process is active, stepping down", side=self._me.side, term=claim.term)
        self.active = False
        self._activated.clear()
        self._step_down()

    def _peer(self) -> Other:
        if self._other is None:
            raise RuntimeError("this process is alone")
        return self._other
