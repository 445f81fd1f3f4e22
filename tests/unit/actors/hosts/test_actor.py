import asyncio

import msgspec
import pytest

from actors.hosts import actor as module
from actors.hosts.actor import ShardHost
from actors.hosts.contract import HostReport, ShardNotReady, UnknownShard
from actors.hosts.kinds import Kind
from cluster.settings import Settings
from tests.fixtures.simulation import passes, simulate


class Echo:
    def __init__(self, shard, shards, settings):
        self.shard, self.shards = shard, shards

    async def start(self):
        pass

    async def stop(self):
        pass

    async def echo(self, payload):
        return payload + f" from {self.shard} of {self.shards}".encode()


class Broken(Echo):
    async def start(self):
        raise ConnectionError("no database")


@pytest.fixture
def kinds(monkeypatch):
    here = __name__
    table = {
        "echo": Kind(f"{here}:Echo", lambda settings: settings.broker_shards),
        "broken": Kind(f"{here}:Broken", lambda settings: 1),
        "missing": Kind("no.such.module:Nothing", lambda settings: 1),
    }
    loaded = {f"{here}:Echo": Echo, f"{here}:Broken": Broken}

    def load(kind):
        if kind.import_string not in loaded:
            raise ImportError(kind.import_string)
        return loaded[kind.import_string]

    monkeypatch.setattr(Kind, "load", load)
    monkeypatch.setattr(module, "KINDS", table)
    monkeypatch.setattr(
        module,
        "placement",
        lambda index, settings: [
            (name, shard, kind.count(settings)) for name, kind in table.items() for shard in range(kind.count(settings))
        ],
    )
    return table


def test_calls_reach_their_shard_whatever_else_cannot_start(kinds):
    async def main():
        host = ShardHost(0, Settings(broker_shards=2))
        await host.start()
        answers = await asyncio.gather(*(host.call("echo", n, "echo", b"hello") for n in (0, 1)))
        assert answers == [b"hello from 0 of 2", b"hello from 1 of 2"]
        with pytest.raises(ShardNotReady):
            await host.call("broken", 0, "echo", b"")
        for unknown in (("echo", 2), ("missing", 0), ("nonsense", 0)):
            with pytest.raises(UnknownShard):
                await host.call(*unknown, "echo", b"")
        report = msgspec.msgpack.decode(await host.report(), type=HostReport)
        assert report.ready == {"echo/0": True, "echo/1": True, "broken/0": False}
        assert report.incarnation == host.incarnation
        await host.stop()

    simulate(main())


def test_each_object_is_a_new_incarnation(kinds):
    assert ShardHost(0, Settings()).incarnation != ShardHost(0, Settings()).incarnation


def test_a_stopped_host_answers_nothing(kinds):
    async def main():
        host = ShardHost(0, Settings())
        await host.start()
        await passes(0.1)
        await host.stop()
        with pytest.raises(ShardNotReady):
            await host.call("echo", 0, "echo", b"")

    simulate(main())
