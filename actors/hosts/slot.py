"""One shard's place in a host: keeps exactly one live object in it, however often that fails."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from actors.hosts.contract import HostedShard, ShardDeposed, ShardNotReady, UnknownShard

READY_WAIT_S: Final = 1.5
"""A call that finds no started shard waits this long: a little less than a client's deadline."""

RETRY_FIRST_S: Final = 0.2
RETRY_LIMIT_S: Final = 5.0

REPLACE_AFTER_S: Final = 2.0
"""A deposed shard is replaced at most this often: two processes that both believe to be the owner must not spin."""

_NOT_CALLABLE = frozenset({"start", "stop"})

logger = structlog.get_logger(__name__)


class Slot:
    """Creates its shard, starts it, tries again while that fails, replaces it when it was deposed."""

    def __init__(self, card: tuple[str, int, int], create: Callable[[], HostedShard]) -> None:
        """`card`: (kind, shard, how many of the kind)."""
        self.card = card
        self.name = f"{card[0]}/{card[1]}"
        self.shard: HostedShard | None = None
        self._create = create
        self._ready = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        self._replaced_at = float("-inf")

    @property
    def ready(self) -> bool:
        """Whether the shard answers calls."""
        return self._ready.is_set()

    def start(self) -> None:
        """Begin to fill the slot."""
        self._filling = asyncio.create_task(self._fill(), name=f"slot-{self.name}")

    async def stop(self) -> None:
        """Empty the slot for good."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        await self._empty()

    async def call(self, method: str, payload: bytes) -> bytes:
        """Pass a call on. Raises ShardNotReady, UnknownShard, or what the method raises."""
        if not self._ready.is_set():
            try:
                async with asyncio.timeout(READY_WAIT_S):
                    await self._ready.wait()
            except TimeoutError:
                raise ShardNotReady(self.name) from None
        shard = self.shard
        handler = None if method.startswith("_") or method in _NOT_CALLABLE else getattr(shard, method, None)
        if handler is None:
            raise UnknownShard(f"{self.name} has no method {method!r}")
        try:
            answer: bytes = await handler(payload)
        except ShardDeposed:
            self._replace(shard)
            raise ShardNotReady(self.name) from None
        return answer

    def _replace(self, deposed: HostedShard | None) -> None:
        now = asyncio.get_running_loop().time()
        if self.shard is not deposed or not self._ready.is_set() or now - self._replaced_at < REPLACE_AFTER_S:
            return
        logger.warning("shard deposed, replacing it", shard=self.name)
        self._replaced_at = now
        self._ready.clear()
        self._filling = asyncio.create_task(self._refill(), name=f"slot-{self.name}")

    async def _refill(self) -> None:
        await self._empty()
        await self._fill()

    async def _fill(self) -> None:
        delay = RETRY_FIRST_S
        while True:
            try:
                self.shard = self._create()
                await self.shard.start()
            except asyncio.CancelledError:
                raise
            except Exception as reason:
                logger.warning("shard does not start, trying again", shard=self.name, reason=repr(reason))
                await self._empty()
                await asyncio.sleep(delay)
                delay = min(RETRY_LIMIT_S, delay * 2)
            else:
                self._ready.set()
                logger.info("shard started", shard=self.name)
                return

    async def _empty(self) -> None:
        self._ready.clear()
        shard, self.shard = self.shard, None
        if shard is not None:
            with contextlib.suppress(Exception):
                await shard.stop()
