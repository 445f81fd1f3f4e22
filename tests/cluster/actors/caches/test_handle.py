"""The cache in the real cluster: two clients in this process, the shard in its host."""

import asyncio
from uuid import uuid4

from actors.caches import handle
from tests.fixtures.shards import kill_host
from tests.fixtures.waiting import eventually


async def test_one_load_for_all_clients_and_a_flush_after_kill_9(stack) -> None:
    stack.connect_ray()
    one, two = handle.connect(f"one-{uuid4()}"), handle.connect(f"two-{uuid4()}")
    await one.start()
    await two.start()
    loads = 0
    value = "old"
    key = f"test:{uuid4()}"

    async def load() -> str:
        nonlocal loads
        loads += 1
        return value

    try:
        await eventually(lambda: one._shards[0].link.attached and two._shards[0].link.attached, timeout_s=30)
        calls = [client.get_or_load(key, load, ttl_s=600, tags=["test"]) for client in (one, two) for _ in range(10)]
        assert await asyncio.gather(*calls) == ["old"] * 20
        assert loads == 1

        value = "new"
        version = await one.invalidate(tags=["test"])
        assert await two.get_or_load(key, load, ttl_s=600, tags=["test"], at_least=version) == "new"
        assert loads == 2

        incarnation = one._shards[0].link.incarnation
        await kill_host()
        await eventually(lambda: one._shards[0].link.incarnation not in ("", incarnation), timeout_s=60)
        assert len(one._shards[0].store) == 0
        assert await one.get_or_load(key, load, ttl_s=600, tags=["test"]) == "new"
    finally:
        await one.stop()
        await two.stop()
