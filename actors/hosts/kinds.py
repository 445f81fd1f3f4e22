"""The kinds of shards that hosts can create, and how many of each there are.

Classes are named by import strings: a host imports what it hosts, and nothing imports all kinds.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from actors.hosts.contract import HostedShard
from cluster.settings import Settings


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of shard."""

    import_string: str
    count: Callable[[Settings], int]

    def load(self) -> type[HostedShard]:
        """Import the class."""
        module, _, name = self.import_string.partition(":")
        loaded: type[HostedShard] = getattr(importlib.import_module(module), name)
        return loaded


KINDS: Mapping[str, Kind] = {
    "brokers": Kind("actors.brokers.actor:BrokerShard", lambda settings: settings.broker_shards),
    "sessions": Kind("actors.sessions.actor:SessionShard", lambda settings: settings.session_shards),
    "caches": Kind("actors.caches.actor:CacheShard", lambda settings: settings.cache_shards),
    "jobs": Kind("actors.jobs.actor:QueueOwner", lambda settings: 1),
    "metrics": Kind("actors.metrics.actor:MetricsShard", lambda settings: 1),
}


def placement(index: int, settings: Settings) -> list[tuple[str, int, int]]:
    """(kind, shard, shards) hosted by host `index`: shards are dealt out like cards, so kinds spread evenly."""
    dealt = [
        (name, shard, kind.count(settings)) for name, kind in KINDS.items() for shard in range(kind.count(settings))
    ]
    return [card for position, card in enumerate(dealt) if position % settings.shard_hosts == index]


def host_of(kind: str, shard: int, settings: Settings) -> int:
    """The host of one shard."""
    position = 0
    for name, known in KINDS.items():
        if name == kind:
            return (position + shard) % settings.shard_hosts
        position += known.count(settings)
    raise KeyError(kind)
