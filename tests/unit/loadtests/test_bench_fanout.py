"""The fan-out measurement against the plain peer: counts add up, and a silent server is noticed."""

import pytest

from loadtests import bench_fanout
from loadtests.bench_fanout import DeliveriesStopped, Load, measure_peer, phase
from loadtests.client import Pool
from loadtests.processes import peer


async def test_every_delivery_is_counted() -> None:
    outcome = await measure_peer(Load(sockets=10, seconds=0.3))
    assert outcome.published > 0
    assert outcome.delivered == outcome.published * 10
    assert outcome.missing == 0
    assert outcome.server_us > 0
    assert 0 < outcome.p50_ms <= outcome.p99_ms
    assert outcome.rate == pytest.approx(outcome.delivered / outcome.seconds)


async def test_a_silent_server_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_fanout, "STALL_S", 0.2)
    async with peer("loadtests.peers.broadcast") as (process, port):
        pool = Pool(f"ws://127.0.0.1:{port}/")
        await pool.open(2)  # connected, subscribed to nothing
        with pytest.raises(DeliveriesStopped):
            await phase(pool, "room:bench", Load(sockets=2, seconds=5), [process], window=2)
        pool.close()
