"""One message at a time."""

import pytest

from loadtests import bench_latency
from loadtests.bench_latency import NotDelivered, ping_pong
from loadtests.client import Pool
from loadtests.processes import peer


async def test_each_message_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_latency, "GAP_S", 0.0)
    async with peer("loadtests.peers.broadcast") as (_, port):
        pool = Pool(f"ws://127.0.0.1:{port}/")
        [publisher] = await pool.open(1, channels=["room:bench"])
        await ping_pong(publisher, pool.tally, "room:bench", 20)
        assert len(pool.tally.latencies_us) == 20
        pool.close()


async def test_a_lost_message_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_latency, "ARRIVAL_S", 0.1)
    async with peer("loadtests.peers.broadcast") as (_, port):
        pool = Pool(f"ws://127.0.0.1:{port}/")
        [publisher] = await pool.open(1)
        with pytest.raises(NotDelivered, match="message 1"):
            await ping_pong(publisher, pool.tally, "room:bench", 1)
        pool.close()
