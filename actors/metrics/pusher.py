"""What every process runs so that its numbers reach the metrics shard."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
from prometheus_client import CollectorRegistry

from actors.metrics.registry import REGISTRY
from actors.metrics.snapshot import Push, Snapshot, take
from cluster.logging import get_logger

PUSH_EVERY_S = 2.0
CALL_TIMEOUT_S = 2.0

Call = Callable[[str, bytes, float], Awaitable[bytes]]
"""(method, payload, deadline) → answer of the metrics shard."""

logger = get_logger(__name__)


class MetricsPusher:
    """Pushes this process's registry every two seconds. `before_push` may set gauges."""

    def __init__(
        self,
        boot_id: str,
        call: Call,
        *,
        registry: CollectorRegistry = REGISTRY,
        before_push: Callable[[], None] | None = None,
    ) -> None:
        self._boot_id = boot_id
        self._call = call
        self._registry = registry
        self._before_push = before_push
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="metrics-pusher")

    async def stop(self) -> None:
        """Push once more, so that the last two seconds count, and end. Does nothing when it was never started."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        await self.push()

    def snapshot(self) -> Snapshot:
        """This process's numbers now."""
        if self._before_push is not None:
            self._before_push()
        return take(self._registry)

    async def push(self) -> None:
        """Push once. What cannot be measured or told is logged when that begins, not every two seconds."""
        try:
            payload = msgspec.msgpack.encode(Push(self._boot_id, self.snapshot()))
            await self._call("push", payload, CALL_TIMEOUT_S)
        except Exception:
            if not self._failing:
                logger.warning("metrics are not being collected", exc_info=True)
            self._failing = True
        else:
            self._failing = False

    async def merged(self) -> Snapshot:
        """The numbers of all processes: pushes first, so that this one's are current. Raises what the call raises."""
        payload = msgspec.msgpack.encode(Push(self._boot_id, self.snapshot()))
        await self._call("push", payload, CALL_TIMEOUT_S)
        return msgspec.msgpack.decode(await self._call("merged", b"", CALL_TIMEOUT_S), type=Snapshot)

    async def _run(self) -> None:
        while True:
            await self.push()
            await asyncio.sleep(PUSH_EVERY_S)
