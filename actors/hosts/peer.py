"""The other process of a host, reached through Ray and watched by the kernel."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import ray
import structlog
from ray.exceptions import ActorDiedError, ActorUnschedulableError

from actors.hosts.line import Watch
from actors.hosts.pair import Claim, Life

GONE: Final = (ActorDiedError, ActorUnschedulableError)
"""Ray's words for an actor that it will not bring back: it has ended, or its node has."""

logger = structlog.get_logger(__name__)


END_WAIT_S: Final = 0.5


class RayPeer:
    """Implements `pair.Other`.

    `get()` returns the other actor's handle, or raises ValueError; `forget(handle)` is told of one that Ray will not
    bring back, so that `get()` finds the actor that is made in its place.
    """

    def __init__(
        self,
        node: str,
        get: Callable[[], Awaitable[Any]],
        *,
        kill: Callable[[], None],
        forget: Callable[[Any], None],
    ) -> None:
        self._node = node
        self._get = get
        self._kill = kill
        self._forget_handle = forget
        self._known: Claim | None = None
        self._absent = False
        self._descriptor: int | None = None
        self._line: Watch | None = None
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
        if self._dead:
            return Life.DEAD
        if known.node == self._node:
            return Life.UNKNOWN if _runs(known.pid) else Life.DEAD
        try:
            nodes: list[dict[str, Any]] = await asyncio.to_thread(ray.nodes)
        except Exception as reason:
            logger.warning("nodes cannot be listed", reason=repr(reason))
            return Life.UNKNOWN
        lost = any(node["NodeID"] == known.node and not node["Alive"] for node in nodes)
        return Life.DEAD if lost else Life.UNKNOWN

    def watch(self, claim: Claim, on_death: Callable[[], None]) -> None:
        """See `pair.Other`. On the same node the kernel tells it; elsewhere that node's, over a line."""
        known, self._known = self._known, claim
        if known is not None and (known.pid, known.node, known.line) == (claim.pid, claim.node, claim.line):
            return
        self._forget()
        self._dead = False

        def died() -> None:
            self._dead = True
            self._forget()
            on_death()

        if claim.node != self._node:
            if claim.line:
                self._line = Watch(claim.line, died)
            return
        try:
            descriptor = os.pidfd_open(claim.pid)
        except OSError:
            self._dead = not _runs(claim.pid)
            return
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, died)

    async def end(self, claim: Claim) -> None:
        """See `pair.Other`."""
        if claim.node == self._node:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(claim.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_WAIT_S):
                    await _ended(claim.pid)
            return
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._kill)

    async def _ask(self, call: Callable[[Any], Any], timeout_s: float) -> Claim:
        async with asyncio.timeout(timeout_s):
            try:
                actor = await self._get()
            except ValueError:
                self._absent = True  # never made: whoever ensures hosts makes it
                raise
            try:
                answer = await call(actor)
            except GONE:
                # Ended for good: whoever ensures hosts makes another, and that one is asked from then on.
                self._absent = True
                self._forget_handle(actor)
                raise
        self._absent = False  # not before: one that is being made cannot take over
        return msgspec.msgpack.decode(answer, type=Claim)

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        line, self._line = self._line, None
        if line is not None:
            line.close()
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


async def _ended(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _runs(pid: int) -> bool:
    """Whether the process runs. One that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except OSError:
        return False
