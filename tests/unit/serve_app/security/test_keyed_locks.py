"""A lock per key, and none that nobody wants."""

import asyncio

from serve_app.security.keyed_locks import KeyedLocks


async def test_one_at_a_time_has_a_key_and_others_have_theirs() -> None:
    locks: KeyedLocks[str] = KeyedLocks()
    lock = locks.of("a")
    async with lock:
        assert locks.of("a") is lock
        assert not locks.of("b").locked()
        waiting = asyncio.create_task(locks.of("a").acquire())
        await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting
    assert lock.locked()


async def test_locks_that_nobody_holds_or_waits_for_are_forgotten() -> None:
    locks: KeyedLocks[int] = KeyedLocks()
    for key in range(100):
        async with locks.of(key):
            assert len(locks) == 1
    assert len(locks) == 0
