"""A shard that has just begun does not know who is in its channels, until those who do have told it (DESIGN §5, 11)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import structlog

from actors.links.stream import LEASE_S
from db.streams.errors import StreamError

ASK_AGAIN_S: Final = 1.0

logger = structlog.get_logger(__name__)


class Rebuilding:
    """From the start of an incarnation until every living hub has resumed what it holds, or one lease has passed.

    `living()` names the hubs that were alive a moment ago; `on_done()` runs once.
    """

    def __init__(self, living: Callable[[], Awaitable[Collection[str]]], on_done: Callable[[], None]) -> None:
        self.active = True
        self._living = living
        self._on_done = on_done
        self._synced: set[str] = set()
        self._missing: set[str] | None = None
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Find out whom to wait for; end at the latest when the lease has passed."""
        try:
            async with asyncio.timeout(LEASE_S):
                while self._missing is None:
                    try:
                        self._missing = set(await self._living()) - self._synced
                    except StreamError as reason:
                        logger.warning("who is alive cannot be read", reason=str(reason))
                        await asyncio.sleep(ASK_AGAIN_S)
                self._look()
                await self._ended.wait()
        except TimeoutError:
            logger.warning("rebuilt without some hubs", missing=sorted(self._missing or ()))
            self._end()

    def synced(self, boot: str) -> None:
        """This process has said everything that it holds."""
        if self.active:
            self._synced.add(boot)
            if self._missing is not None:
                self._missing.discard(boot)
                self._look()

    def _look(self) -> None:
        if not self._missing:
            self._end()

    def _end(self) -> None:
        if self.active:
            self.active = False
            self._synced.clear()
            self._ended.set()
            self._on_done()
