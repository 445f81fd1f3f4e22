"""Telling a channel who joined and who left: at once, or as one difference.

A difference is the net effect of some time: who came and went within it is not mentioned. It is made for large channels
(every interval), and once when the shard has been rebuilding: it cannot tell who is new before every process has said
whom it holds (DESIGN §5, 11).
"""

import asyncio
import random
from collections.abc import Callable, Sequence

from actors.brokers.channel import Channel
from actors.brokers.contract import ClientInfo
from actors.brokers.items import Difference, Joined, Left
from actors.brokers.net_changes import NetChanges
from actors.brokers.wire import encode


class Announcer:
    """Joins and leaves of one shard's channels on their way to the hubs."""

    def __init__(self, find: Callable[[str], Channel | None]) -> None:
        self.rebuilding = False
        """Nothing is told; `rebuilt` tells the difference."""
        self._find = find
        self._gathered: dict[str, NetChanges] = {}
        """By name: a channel may be forgotten and begin anew meanwhile."""

    def tell(self, channel: Channel, info: ClientInfo, *, joined: bool) -> None:
        """A connection joined or left."""
        gathered = self._gathered.get(channel.name)
        if gathered is None:
            if not self.rebuilding and not is_large(channel):
                channel.tell(encode((Joined if joined else Left)(channel.name, info)), droppable=True)
                return
            gathered = self._gathered[channel.name] = NetChanges()
            if not self.rebuilding:
                delay = channel.rules.join_leave_interval_ms / 1000
                asyncio.get_running_loop().call_later(delay, self._flush, channel.name)
        gathered.note(info, joined=joined)

    def rebuilt(self) -> None:
        """Who is there is known: tell what changed meanwhile."""
        self.rebuilding = False
        for name in list(self._gathered):
            self._flush(name)

    def _flush(self, name: str) -> None:
        gathered, channel = self._gathered.pop(name, None), self._find(name)
        if gathered is None or channel is None:
            return
        joined, left = gathered.settled()
        limit, settled = channel.rules.join_leave_limit, len(joined) + len(left)
        if is_large(channel) and settled > limit:
            kept = limit * len(joined) // settled
            joined, left = _sample(joined, kept), _sample(left, limit - kept)
        if joined or left:
            channel.tell(encode(Difference(name, joined, left)), droppable=True)


def is_large(channel: Channel) -> bool:
    """Whether telling every change at once would cost too much."""
    threshold = channel.rules.join_leave_threshold
    return threshold > 0 and channel.connections > threshold


def _sample(infos: Sequence[ClientInfo], size: int) -> list[ClientInfo]:
    return random.sample(infos, min(size, len(infos)))
