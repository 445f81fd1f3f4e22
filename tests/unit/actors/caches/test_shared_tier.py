"""The worker of the shared tier, without a Valkey."""

import asyncio
import contextlib

import pytest

from actors.caches import shared_tier
from actors.caches.shared_tier import SharedTier

NOBODY = "redis://127.0.0.1:1"


async def test_stop_ends_a_worker_whose_operation_lost_the_cancellation() -> None:
    """As redis-py does on Python 3.11, where `asyncio.wait_for` forgets a cancellation that comes as it returns."""
    tier = SharedTier(NOBODY, "0/1")
    await tier.start()
    sending = asyncio.Event()

    async def send() -> None:
        sending.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    tier._operations.put_nowait(send)
    await sending.wait()
    async with asyncio.timeout(10):
        await tier.stop()


async def test_without_valkey_everything_is_answered_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_tier, "RETRY_S", 0.001)
    tier = SharedTier(NOBODY, "0/1")
    await tier.start()
    assert await tier.get("k") is None
    tier.put("k", shared_tier.SharedValue(b"1", 1_000, ()))
    tier.invalidate(["k"], ["t"])
    assert not tier.usable
    await tier.stop()
