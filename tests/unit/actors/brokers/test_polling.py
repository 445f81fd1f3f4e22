"""Shared polls at the shard: claims, reports, and who hears of them. In virtual time."""

import functools

import pytest

from actors.brokers import client as client_module
from actors.brokers.contract import BrokerError, Publication
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate

CHANNEL = "polled:a"


def in_world(test):
    """Run an async test of (world, one, other) in virtual time."""

    @functools.wraps(test)
    def run():
        async def main():
            async with MemoryWorld() as world:
                one, other = await world.process("one"), await world.process("other")
                for process in (one, other):
                    await process.subscribe(CHANNEL, presence=False)
                await test(world, one, other)

        simulate(main())

    del run.__wrapped__
    return run


@in_world
async def test_what_one_finds_the_others_hear(world, one, other):
    assert (await one.brokers.poll_claim(CHANNEL, {"a": 0, "b": 0})).ask == {"a": 0, "b": 0}
    assert (await other.brokers.poll_claim(CHANNEL, {"a": 0})).ask == {}
    found = [Publication(b"1", key="a", version=3), Publication(b"", key="b", version=1, removed=True)]
    one.brokers.poll_report(CHANNEL, ["a", "b"], found, end=True)
    await passes(0.1)
    assert other.sink.of("polled") == [("polled", CHANNEL, "a", 3), ("polled", CHANNEL, "b", 1)]
    assert one.sink.of("polled") == []
    late = await world.process("late")
    turn = await late.brokers.poll_claim(CHANNEL, {"a": 0})
    assert (turn.ask, list(turn.values)) == ({}, [found[0]])


@in_world
async def test_a_failure_is_everybody_s(world, one, other):
    await one.brokers.poll_claim(CHANNEL, {"a": 0})
    one.brokers.poll_report(CHANNEL, ["a"], [], end=False)
    one.brokers.poll_report(CHANNEL, [], [], end=True, failed=True)
    await passes(1)
    assert (await other.brokers.poll_claim(CHANNEL, {"a": 0, "b": 0})).ask == {}
    await passes(2)
    assert (await other.brokers.poll_claim(CHANNEL, {"a": 0})).ask == {"a": 0}


@in_world
async def test_much_is_carried_in_portions(world, one, other):
    keys = {f"{n:04}" + "k" * 200: 0 for n in range(1_000)}
    whole, client_module.POLL_BYTES = client_module.POLL_BYTES, 10_000
    try:
        assert (await one.brokers.poll_claim(CHANNEL, keys)).ask == keys
        found = [Publication(b'"' + b"v" * 500 + b'"', key=key, version=1) for key in keys]
        one.brokers.poll_report(CHANNEL, keys, found, end=True)
        await passes(1)
        assert len(other.sink.of("polled")) == 1_000
        await passes(5)
        again = await other.brokers.poll_claim(CHANNEL, dict.fromkeys(keys, 1))
        assert set(again.ask) == set(keys)
    finally:
        client_module.POLL_BYTES = whole


@in_world
async def test_a_channel_that_is_no_shared_poll(world, one, other):
    with pytest.raises(BrokerError) as refused:
        await one.brokers.poll_claim("room:a", {"a": 0})
    assert refused.value.code == 108
    one.brokers.poll_report("room:a", ["a"], [], end=True)
    one.brokers.poll_report("nowhere:a", ["a"], [], end=True)
    await passes(0.1)


@in_world
async def test_without_a_shard_a_claim_is_refused_in_time(world, one, other):
    world.network.fault = lambda method: "lost request"
    with pytest.raises(BrokerError) as refused:
        await one.brokers.poll_claim(CHANNEL, {"a": 0})
    assert refused.value.code == 100
