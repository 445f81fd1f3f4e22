"""The other process of a host, reached through Ray and watched by the kernel."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import ray
import structlog
from ray.exceptions import ActorDiedError

from actors.hosts.pair import Claim, Life

logger = structlog.get_logger(__name__)


class RayPeer:
    """Implements `pair.Other`. `get()` returns the other actor's handle, or raises ValueError."""

    def __init__(self, node: str, get: Callable[[], Awaitable[Any]], kill: Callable[[], None]) -> None:
        self._node = node
        self._get = get
        self._kill = kill
        self._known: Claim | None = None
        self._absent = False
        self._descriptor: int | None = None
        self._dead = False

    async def look(self, timeout_s: float) -> Claim:
        """See `pair.Other`."""
        return await self._ask(lambda actor: actor.look.remote(), timeout_s)

    async def ask_leave(self, claim: Claim, timeout_s: float) -> Claim:
        """See `pair.Other`."""
        encoded = msgspec.msgpack.encode(claim)
        return await self._ask(lambda actor: actor.give_leave.remote(encoded), timeout_s)

    async def life(self) -> Life:
        """See `pair.Other`."""
        if self._absent:
            return Life.ABSENT
        known = self._known
        if known is None:
            return Life.UNKNOWN
        if known.node == self._node:
            return Life.DEAD if self._dead or not _runs(known.pid) else Life.UNKNOWN
        try:
            nodes: list[dict[str, Any]] = await asyncio.to_thread(ray.nodes)
        except Exception as reason:
            logger.warning("nodes cannot be listed", reason=repr(reason))
            return Life.UNKNOWN
        lost = any(node["NodeID"] == known.node and not node["Alive"] for node in nodes)
        return Life.DEAD if lost else Life.UNKNOWN

    def watch(self, claim: Claim, on_death: Callable[[], None]) -> None:
        """See `pair.Other`. On the same node the kernel tells it; elsewhere only silence does."""
        if self._known is not None and self._known.pid == claim.pid and self._known.node == claim.node:
            self._known = claim
            return
        self._forget()
        self._known = claim
        self._dead = False
        if claim.node != self._node:
            return
        try:
            descriptor = os.pidfd_open(claim.pid)
        except OSError:
            self._dead = not _runs(claim.pid)
            return
        self._descriptor = descriptor

        def died() -> None:
            self._dead = True
            self._forget()
            on_death()

        asyncio.get_running_loop().add_reader(descriptor, died)

    async def end(self, claim: Claim) -> None:
        """See `pair.Other`."""
        if claim.node == self._node:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(claim.pid, signal.SIGKILL)
            return
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._kill)

    async def _ask(self, call: Callable[[Any], Any], timeout_s: float) -> Claim:
        async with asyncio.timeout(timeout_s):
            try:
                answer = await call(await self._get())
            except (ValueError, ActorDiedError):
                # Never made, or ended for good: whoever ensures hosts makes another.
                self._absent = True
                raise
        self._absent = False
        return msgspec.msgpack.decode(answer, type=Claim)

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


def _runs(pid: int) -> bool:
    """Whether the process runs. One that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except OSError:
        return False
