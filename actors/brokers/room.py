"""Room for channels in a shard: a bound on their number and on what they keep, kept by forgetting who is not needed.

Any registered user can subscribe to names of their own making, and a channel outlives its last subscriber so that who
comes back recovers. So there is a most of both, and beyond it the channels that nobody is subscribed to are forgotten,
those first that were not used for the longest time. A memory channel that was forgotten begins a new epoch, which its
readers see as `recovered: false`; a durable one is in the database.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.memory import Memory
from actors.metrics.registry import BROKER_EVICTIONS, BROKER_REFUSALS

SETTLED_S: Final = 10.0
"""A durable channel that was used since then may have a publication on its way to the database."""

LOOKS: Final = 64
"""Channels looked at for one that is to be forgotten: a turn must not look at all of them."""


class Room:
    """The bounds of one shard. `forget(channel)` takes a channel out of it."""

    def __init__(self, channels: Mapping[str, Channel], forget: Callable[[Channel], None]) -> None:
        self.memory = Memory()
        self.memory.relieve = self.relieve
        self._most: int | None = None
        self._channels = channels
        self._forget = forget
        self._resting: OrderedDict[str, None] = OrderedDict()
        """Channels that nobody may be subscribed to, the longest unused first. Looked at again before it counts."""

    def bound(self, channels: int, megabytes: int) -> None:
        """Have so many channels at most, and keep so much of what they hold."""
        self._most, self.memory.limit = channels, megabytes << 20

    def used(self, channel: Channel) -> None:
        """Something is done with a channel that nobody is subscribed to (yet)."""
        self._resting[channel.name] = None
        self._resting.move_to_end(channel.name)

    def rests(self, channel: Channel) -> None:
        """Nobody is subscribed to the channel (any more)."""
        self._resting.setdefault(channel.name)

    def gone(self, channel: Channel) -> None:
        """The channel is not in memory any more."""
        self._resting.pop(channel.name, None)

    def enter(self, now: float) -> None:
        """One more channel begins. Raises BrokerError 111 when all that there may be are subscribed to."""
        if self._most is not None and len(self._channels) >= self._most and not self._forget_one(now):
            BROKER_REFUSALS.labels("channel").inc()
            raise BrokerError(111, "the shard has as many channels as it may")

    def check(self, now: float) -> None:
        """A map is about to grow. Raises BrokerError 111 when there is no room for it."""
        if self.memory.full:
            self.relieve(None, now)
            if self.memory.full:
                BROKER_REFUSALS.labels("key").inc()
                raise BrokerError(111, "the shard keeps as much as it may")

    def relieve(self, writing: Channel | None, now: float) -> None:
        """More is kept than there may be: forget channels, and if that is not enough, the oldest of what is written."""
        while self.memory.full and self._forget_one(now, writing, keeping=True):
            pass
        while self.memory.full and writing is not None and writing.ring.drop_oldest():
            pass

    def _forget_one(self, now: float, writing: Channel | None = None, *, keeping: bool = False) -> bool:
        """`keeping`: one that keeps something."""
        for _ in range(min(LOOKS, len(self._resting))):
            name, _ = self._resting.popitem(last=False)
            channel = self._channels.get(name)
            if channel is None or channel.has_members:
                continue
            is_busy = channel.rules.durable and now - channel.touched < SETTLED_S
            if channel is writing or is_busy or (keeping and not channel.keeps):
                self._resting[name] = None
                continue
            self._forget(channel)
            BROKER_EVICTIONS.inc()
            return True
        return False
