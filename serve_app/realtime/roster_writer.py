"""Writes this process's part of the roster by group commit, keeps its lease, and ends processes that went silent.

Who is silent is counted by our own observation of their beats during unbroken contact with the database, never by
clocks: after an outage everybody has a full lease again (as for jobs, DESIGN §5, 16).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

import structlog

from db.session_events.boots import renewed
from db.session_events.store import Change, Departed, LeaseLost, RosterUnreachable

MAX_BATCH: Final = 1_000

MAX_QUEUED: Final = 50_000
"""More than this means that the database has been away for long: the boot id is given up, and who is still there enters
anew under another one. What came and went in between leaves no event."""

BEAT_S: Final = 2.0
SILENT_S: Final = 10.0
"""A process whose beat stands still this long is gone: with the beat before and the look after it, its leaves are
reported within 15 s, the lease of hubs everywhere (`actors.links.stream.LEASE_S`)."""

BROKEN_S: Final = 3 * BEAT_S
"""A longer gap between two looks is no unbroken contact."""

BACKOFF_S: Final = 1.0
FLUSH_LIMIT_S: Final = 3.0

GONE_CODE: Final = 3000
"""Close code in the events of connections that ended with their process: as SDKs see it, a connection closed."""

logger = structlog.get_logger(__name__)


class Store(Protocol):
    """`db.session_events.store.RosterStore`."""

    async def begin(self, boot: str) -> None:
        """Put a hub on the roster."""

    async def record(self, boot: str, batch: int, changes: Sequence[Change]) -> int:
        """Commit changes once per (boot, batch). Returns how many events. Raises LeaseLost."""

    async def beat(self, boot: str) -> None:
        """A sign of life. Raises LeaseLost."""

    async def hubs(self) -> dict[str, int]:
        """Every hub and its beat."""

    async def expire(self, boot: str, beat: int | None, code: int) -> list[Departed]:
        """End a hub whose beat is still this one."""

    async def close(self) -> None:
        """Give the connection up."""


class RosterWriter:
    """One process's ledger. `standing()`: everybody who must be on the roster now.

    `on_departed(boot, who)`: another process is gone, with these subscriptions. `wake()`: there are events to deliver.
    """

    def __init__(
        self,
        boot_id: str,
        store: Store,
        *,
        standing: Callable[[], Iterable[Change]],
        on_departed: Callable[[str, Sequence[Departed]], None],
        wake: Callable[[], Awaitable[None]],
    ) -> None:
        self.boot_id = boot_id
        self._store = store
        self._standing = standing
        self._on_departed = on_departed
        self._wake = wake
        self._queue: deque[Change] = deque()
        self._in_flight: list[Change] = []
        self._batch = 0
        self._begun = False
        self._bound = MAX_QUEUED
        self._given_up = ""
        """The boot id whose connections have all left, which the database does not know yet; '' for none."""
        self._beat_at = 0.0
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = float("-inf")
        self._something = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._waking: asyncio.Task[None] | None = None
        self._reachable = True

    async def start(self) -> None:
        """Begin to write, for as long as it takes to reach the database."""
        self._running = asyncio.create_task(self._run(), name="roster")

    async def stop(self) -> None:
        """Write what is queued, leave the roster, and let go of the database; bounded."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        with contextlib.suppress(LeaseLost, RosterUnreachable, TimeoutError):
            async with asyncio.timeout(FLUSH_LIMIT_S):
                while self._begun and await self._commit():
                    pass
                if self._begun:
                    await self._store.expire(self.boot_id, None, GONE_CODE)
        if self._waking is not None:
            await asyncio.gather(self._waking, return_exceptions=True)
        await self._store.close()

    def add(self, change: Change) -> None:
        """Queue one change."""
        self._queue.append(change)
        self._something.set()

    @property
    def waiting(self) -> int:
        """Changes that are not written yet."""
        return len(self._queue) + len(self._in_flight)

    # The loop ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
                self._reachable = True
            except LeaseLost:
                logger.warning("roster lease lost, taking a new boot id", boot=self.boot_id)
                self._renew()
            except RosterUnreachable as reason:
                if self._reachable:
                    logger.warning("roster cannot be reached", reason=str(reason), waiting=len(self._queue))
                self._reachable = False
                self._seen.clear()
                await asyncio.sleep(BACKOFF_S)
            except Exception:
                logger.exception("roster turn failed")
                await asyncio.sleep(BACKOFF_S)

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        if len(self._queue) > self._bound:
            # Here first: what cannot be told to a database that is away must not wait in memory for it.
            logger.warning("roster is too far behind, taking a new boot id", waiting=len(self._queue))
            if self._begun:
                self._given_up = self.boot_id
            self._renew()
        if self._given_up:
            await self._store.expire(self._given_up, None, GONE_CODE)
            self._given_up = ""
        if not self._begun:
            await self._store.begin(self.boot_id)
            self._begun = True
        self._something.clear()
        if await self._commit():
            self._beat_at = loop.time() + BEAT_S
        if loop.time() >= self._beat_at:
            self._beat_at = loop.time() + BEAT_S
            await self._store.beat(self.boot_id)
        if loop.time() >= self._looked_at + BEAT_S:
            await self._look(loop.time())
        if not self._queue:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._beat_at, self._looked_at + BEAT_S)):
                    await self._something.wait()

    async def _commit(self) -> bool:
        """Commit the batch in flight, or the next one. False when there is none."""
        if not self._in_flight:
            while self._queue and len(self._in_flight) < MAX_BATCH:
                self._in_flight.append(self._queue.popleft())
            if not self._in_flight:
                return False
            self._batch += 1
        # After an error it is unknown whether it was written: the same batch again is written once.
        made = await self._store.record(self.boot_id, self._batch, self._in_flight)
        self._in_flight = []
        if made:
            self._wake_jobs()
        return True

    def _renew(self) -> None:
        """Everybody has left as far as anybody knows: enter again, as another life of this process."""
        self.boot_id = renewed(self.boot_id)
        self._begun = False
        self._batch = 0
        self._in_flight = []
        self._queue = deque(self._standing())
        # However many there are: whoever is there must be written down.
        self._bound = MAX_QUEUED + len(self._queue)

    async def _look(self, now: float) -> None:
        if now - self._looked_at > BROKEN_S:
            self._seen.clear()
        self._looked_at = now
        hubs = await self._store.hubs()
        self._seen = {boot: seen for boot, seen in self._seen.items() if boot in hubs}
        for boot, beat in hubs.items():
            if boot == self.boot_id:
                continue
            last = self._seen.get(boot)
            if last is None or last[0] != beat:
                self._seen[boot] = (beat, now)
            elif now - last[1] >= SILENT_S:
                departed = await self._store.expire(boot, beat, GONE_CODE)
                logger.warning("hub is gone", boot=boot, subscriptions=len(departed))
                self._on_departed(boot, departed)
                self._wake_jobs()

    def _wake_jobs(self) -> None:
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._guarded_wake())

    async def _guarded_wake(self) -> None:
        # A shortcut: the queue owner looks by itself within seconds.
        with contextlib.suppress(Exception):
            await self._wake()
