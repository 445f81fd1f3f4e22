"""Who is in a channel, and which processes listen to it: registration, leases, joins and leaves."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

from actors.brokers.announcing import Announcer
from actors.brokers.channel import Channel, HubInterest, Present
from actors.brokers.contract import ClientInfo
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream

EXPIRED_REMEMBERED: Final = 1_000
"""Processes whose end this incarnation has announced itself."""


class Registry:
    """Subscriptions of all channels of a shard, by process.

    A process that begins a new session keeps what it held as *orphans* until it has resumed its channels (`synced`) or
    its lease ends: so a short break makes nobody leave and join.
    """

    def __init__(self, find: Callable[[str], Channel | None]) -> None:
        self.left: Callable[[Channel, Subscriber], None] = _nothing
        """Told of every subscription that ended."""
        self.admitted: Callable[[Channel, ClientInfo, ClientInfo | None], None] = _nothing
        """Told who is present in a channel, and what was known of them before."""
        self.dismissed: Callable[[Channel, ClientInfo], None] = _nothing
        """Told who is present no more."""
        self.emptied: Callable[[Channel], None] = _nothing
        """Told of channels that a process which is gone held: perhaps nobody is left in them."""
        self.announcer = Announcer(find)
        self._find = find
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._held: dict[str, set[str]] = {}
        self._orphans: dict[str, dict[str, HubInterest]] = {}
        self._unheard: dict[str, set[str]] = {}
        """Process → channels of which it could not be heard when it was asked who is there."""

    def add(self, channel: Channel, stream: ClientStream, subscriber: Subscriber) -> bool:
        """Register one subscription. True when its connection was not in the channel before."""
        hub = channel.hubs.get(stream.boot)
        if hub is None:
            hub = channel.hubs[stream.boot] = HubInterest(stream)
            self._held.setdefault(stream.boot, set()).add(channel.name)
        hub.stream = stream
        hub.subscribers[subscriber.subscription] = subscriber
        if not subscriber.presence:
            return True
        return self._admit(channel, Present(subscriber.info, stream.boot, subscriber.subscription))

    def join(self, channel: Channel, subscriber: Subscriber) -> None:
        """Tell the channel that a connection joined."""
        if subscriber.join_leave:
            self.announcer.tell(channel, subscriber.info, joined=True)

    def remove(self, channel: Channel, boot: str, subscription: int) -> None:
        """Take one subscription away, and say so."""
        hub = channel.hubs.get(boot)
        subscriber = hub.subscribers.pop(subscription, None) if hub is not None else None
        if hub is None or subscriber is None:
            return
        if not hub.subscribers:
            del channel.hubs[boot]
            self._release(boot, channel.name)
        self._leave(channel, boot, subscriber)

    def resume(self, channel: Channel, stream: ClientStream, subscribers: Iterable[Subscriber]) -> None:
        """Register what a process still holds after a reset. Who is missing has left.

        Nobody joins, unless the process had lost its lease: then all of its connections have left, and come again.
        """
        old = self._pop_orphan(stream.boot, channel.name)
        was_heard = channel.name not in self._unheard.get(stream.boot, ())
        comes_again = old is None and was_heard and not self.announcer.rebuilding
        if not was_heard:
            self._unheard[stream.boot].discard(channel.name)
        kept = set()
        for subscriber in subscribers:
            if self.add(channel, stream, subscriber) and comes_again:
                self.join(channel, subscriber)
            kept.add(subscriber.subscription)
        if old is not None:
            for subscriber in old.subscribers.values():
                if subscriber.subscription not in kept:
                    self._leave(channel, stream.boot, subscriber)

    def refused(self, boot: str, name: str) -> None:
        """What a process holds of a channel was not taken. While nobody is told of anybody, nobody has left by that."""
        if self.announcer.rebuilding:
            self._unheard.setdefault(boot, set()).add(name)

    def begin(self, boot: str) -> None:
        """The process began a new session: nothing is delivered to what the last one held."""
        orphans = self._orphans.setdefault(boot, {})
        for name in self._held.pop(boot, set()):
            channel = self._find(name)
            hub = channel.hubs.pop(boot, None) if channel is not None else None
            if hub is not None:
                orphans[name] = hub

    def synced(self, boot: str) -> None:
        """The process has resumed all that it holds: the rest of its last session is gone.

        Not what came from another shard: it may not have read yet that this is here, and has a lease to resume it.
        """
        orphans = self._orphans.pop(boot, {})
        adopted = {name: hub for name, hub in orphans.items() if hub.is_adopted}
        if adopted:
            self._orphans[boot] = adopted
        for name, hub in orphans.items():
            channel = self._find(name)
            if channel is not None and not hub.is_adopted:
                for subscriber in hub.subscribers.values():
                    self._leave(channel, boot, subscriber)
                self.emptied(channel)

    def adopt(self, channel: Channel, boot: str, interest: HubInterest) -> None:
        """A channel came from another shard: what its processes hold counts as theirs until they register it here."""
        self._orphans.setdefault(boot, {})[channel.name] = interest
        for subscriber in interest.subscribers.values():
            if subscriber.presence:
                self._admit(channel, Present(subscriber.info, boot, subscriber.subscription))

    def subscribers(self, channel: Channel) -> list[tuple[str, list[Subscriber]]]:
        """What each process holds of a channel, registered in its current session or not yet."""
        found: dict[str, dict[int, Subscriber]] = {}
        for boot, orphans in self._orphans.items():
            if channel.name in orphans:
                found[boot] = dict(orphans[channel.name].subscribers)
        for boot, hub in channel.hubs.items():
            found.setdefault(boot, {}).update(hub.subscribers)
        return [(boot, list(held.values())) for boot, held in found.items()]

    def end_orphans(self, name: str) -> None:
        """Whoever has not registered what it held of a channel has left it."""
        channel = self._find(name)
        for boot in list(self._orphans):
            interest = self._pop_orphan(boot, name)
            if interest is not None and channel is not None:
                for subscriber in interest.subscribers.values():
                    self._leave(channel, boot, subscriber)
                self.emptied(channel)

    def forget(self, channel: Channel) -> None:
        """A channel went to another shard: nobody leaves it."""
        for boot in channel.hubs:
            self._release(boot, channel.name)
        for boot in list(self._orphans):
            self._pop_orphan(boot, channel.name)
        channel.hubs.clear()

    def expire(self, boot: str) -> None:
        """The process is gone, and all that it held with it."""
        self._expired[boot] = None
        if len(self._expired) > EXPIRED_REMEMBERED:
            self._expired.popitem(last=False)
        self._unheard.pop(boot, None)
        self.begin(boot)
        self.synced(boot)

    def departed(self, channel: Channel, boot: str, infos: Iterable[ClientInfo]) -> None:
        """The durable roster says that this process is gone, and who was in the channel (rule 11). It is not attached.

        Whoever it left here from an earlier session leaves as always, once. The others are told of too: the process
        died before this incarnation began, so nobody else can.
        """
        if boot in self._expired:
            return
        orphans = self._orphans.get(boot, {}).get(channel.name)
        for info in infos:
            late = [s for s in orphans.subscribers.values() if s.info.client == info.client] if orphans else []
            for subscriber in late:
                if orphans is not None:
                    del orphans.subscribers[subscriber.subscription]
                self._leave(channel, boot, subscriber)
            if not late and info.client not in channel.presence and channel.rules.join_leave:
                self.announcer.tell(channel, info, joined=False)

    def counts(self, channels: Iterable[Channel], pattern: str) -> dict[str, int]:
        """Channels with subscribers → how many connections."""
        return {
            channel.name: channel.connections
            for channel in channels
            if channel.hubs and (not pattern or fnmatchcase(channel.name, pattern))
        }

    def _admit(self, channel: Channel, present: Present) -> bool:
        known = channel.presence.get(present.info.client)
        is_new = channel.admit(present)
        self.admitted(channel, present.info, None if known is None else known.info)
        return is_new

    def _release(self, boot: str, name: str) -> None:
        held = self._held.get(boot)
        if held is not None:
            held.discard(name)
            if not held:
                del self._held[boot]

    def _pop_orphan(self, boot: str, name: str) -> HubInterest | None:
        orphans = self._orphans.get(boot)
        interest = None if orphans is None else orphans.pop(name, None)
        if not orphans:
            self._orphans.pop(boot, None)
        return interest

    def _leave(self, channel: Channel, boot: str, subscriber: Subscriber) -> None:
        self.left(channel, subscriber)
        client = subscriber.info.client
        present = channel.presence.get(client)
        if subscriber.presence:
            if present is None or (present.boot, present.subscription) != (boot, subscriber.subscription):
                # The connection is here by a newer subscription: it did not leave.
                return
            channel.dismiss(client)
            self.dismissed(channel, present.info)
        if subscriber.join_leave:
            self.announcer.tell(channel, subscriber.info, joined=False)


def _nothing(*_: Any) -> None:
    """Until the shard is put together."""
