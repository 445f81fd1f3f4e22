"""The channels of one shard: found, made, and held back until their head is read."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from actors.brokers import answers
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.epochs import Epochs
from actors.brokers.items import Gap, TakenAway
from actors.brokers.operations import Operation
from actors.brokers.room import Room
from actors.brokers.wire import encode
from actors.links.placement import bucket_of
from actors.links.stream import ClientStream
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace

Handler = Callable[[ClientStream, Any], None]
"""What a shard does with one kind of operation, in one turn. Raises BrokerError to refuse it."""

SWEPT_PER_ROUND: Final = 2_000
"""Channels looked at per round: a sweep over all of them at once would hold up everybody."""

WAIT_LIMIT_S: Final = 3.0
"""How long an operation waits for its channel's head: less than what clients allow."""

NAMESPACE_GONE: Final = 2000
"""Unsubscribe code of channels whose namespace was removed: SDKs do not come back."""

IDLE_DURABLE_S: Final = 60.0
"""An unused durable channel leaves memory after this; the database has it."""


class ChannelTable:
    """Channels by name.

    `load(channel)` asks for a durable channel's head, `loaded` says that it is there, `unload` that nobody wants it any
    more.

    `again(stream, op)` carries an operation out that waited for it.
    """

    def __init__(self, namespaces: Namespaces, owns: Callable[[int], bool]) -> None:
        self.namespaces = namespaces
        self.channels: dict[str, Channel] = {}
        self.room = Room(self.channels, self.forget)
        self.epochs = Epochs()
        self.load: Callable[[Channel], None] = _nothing
        self.unload: Callable[[Channel], None] = _nothing
        self.refused: Callable[[ClientStream, Operation], None] = _nothing
        """Told of what waited in vain."""
        self.again: Callable[[ClientStream, list[Operation]], None] = _nothing
        self._owns = owns
        self._sweep: Iterator[str] = iter(())
        self._waited_for: dict[str, Channel] = {}
        """Channels for whose head something waits."""

    def use(self, namespaces: Namespaces) -> None:
        """Take other rules, for channels that exist too.

        A stream that becomes another kind (durable, a map, without history) begins anew, and positioned subscribers
        are told that it broke. The channels of a namespace that is gone end.
        """
        self.namespaces = namespaces
        for name, channel in list(self.channels.items()):
            if self.channels.get(name) is not channel:
                continue  # what waited for an earlier one was carried out, and took its room or its place
            try:
                rules = namespaces.for_channel(name)
            except (UnknownNamespace, InvalidChannel):
                channel.tell(encode(TakenAway(name, "", NAMESPACE_GONE, "namespace removed")))
                for stream, op, _ in channel.waiting:
                    answers.refuse(stream, op, BrokerError(102, "unknown channel"))
                self.forget(channel)
                continue
            if rules == channel.rules:
                continue
            successor = channel.take_rules(rules)
            if successor is not None:
                self.channels[name] = successor
                channel.let_go()
                self.epochs.over(channel.bucket)
                if name in self._waited_for:
                    self._waited_for[name] = successor
                successor.tell(encode(Gap(name)))
                if successor.loaded:
                    self.loaded(successor)
                elif successor.waiting:
                    self.load(successor)

    def find(self, name: str) -> Channel | None:
        """The channel if it is in memory."""
        return self.channels.get(name)

    def get(self, name: str) -> Channel:
        """The channel, made if need be. Raises UnknownNamespace, InvalidChannel or BrokerError 100."""
        channel = self.channels.get(name)
        now = asyncio.get_running_loop().time()
        if channel is None:
            rules, bucket = self.namespaces.for_channel(name), bucket_of(name)
            if not self._owns(bucket):
                raise BrokerError(100, "the channel belongs to another shard")
            self.room.enter(now)
            if rules.durable and rules.map is not None:
                self.room.check(now)
            epoch = "" if rules.durable else self.epochs.first(name, bucket)
            channel = self.channels[name] = Channel(name, rules, now, epoch=epoch, memory=self.room.memory)
        channel.touched = now
        if not channel.hubs:
            self.room.used(channel)
        return channel

    def add(self, channel: Channel) -> None:
        """A channel that was made elsewhere."""
        before = self.channels.get(channel.name)
        if before is not None:
            self.forget(before)
        self.channels[channel.name] = channel
        self.room.rests(channel)

    def forget(self, channel: Channel) -> None:
        """Have it no more in memory. Unless it is durable or blank, its stream is over."""
        if self.channels.get(channel.name) is channel:
            del self.channels[channel.name]
            self._waited_for.pop(channel.name, None)
            self.room.gone(channel)
            if not channel.rules.durable:
                is_first = not channel.top and channel.epoch == self.epochs.first(channel.name, channel.bucket)
                if not is_first:
                    self.epochs.over(channel.bucket)
            elif not channel.loaded:
                self.unload(channel)
        channel.let_go()

    def left(self, buckets: Iterable[int]) -> None:
        """These buckets are another shard's: should they come back, their streams have a past that we do not know."""
        for bucket in buckets:
            self.epochs.over(bucket)

    def rest(self, channel: Channel) -> None:
        """Somebody is not subscribed any more. A blank channel need not be kept for who comes back."""
        if channel.has_members:
            return
        if channel.is_blank(asyncio.get_running_loop().time()):
            self.forget(channel)
        else:
            self.room.used(channel)

    def ready(self, stream: ClientStream, op: Any) -> Channel | None:
        """The operation's channel, or None when the operation waits for its head to be read. Raises BrokerError."""
        try:
            channel = self.get(op.channel)
        except UnknownNamespace:
            raise BrokerError(102, "unknown channel") from None
        except InvalidChannel as reason:
            raise BrokerError(107, str(reason)) from None
        if not channel.loaded:
            self.wait(channel, stream, op)
            self.load(channel)
            return None
        return channel

    def wait(self, channel: Channel, stream: ClientStream, op: Operation) -> None:
        """Carry this out once the channel's head is read, after what already waits for it."""
        channel.waiting.append((stream, op, asyncio.get_running_loop().time()))
        self._waited_for[channel.name] = channel

    def waits(self, stream: ClientStream, kind: type[Operation]) -> bool:
        """Whether an operation of this kind, from this stream, waits for a head."""
        return any(
            waiting[0] is stream and isinstance(waiting[1], kind)
            for channel in self._waited_for.values()
            for waiting in channel.waiting
        )

    def loaded(self, channel: Channel) -> None:
        """The channel's head has been read: carry out what waited for it."""
        if self._waited_for.get(channel.name) is channel:
            del self._waited_for[channel.name]
        waiting, channel.waiting = channel.waiting, []
        for stream, op, _ in waiting:
            self.again(stream, [op])

    def sweep(self, now: float) -> None:
        """Forget what is too old or unused, of a part of the channels."""
        self._give_up_waiting(now - WAIT_LIMIT_S)
        names = list(islice(self._sweep, SWEPT_PER_ROUND))
        if not names:
            self._sweep = iter(list(self.channels))
        for name in names:
            channel = self.channels.get(name)
            if channel is None:
                continue
            channel.ring.expire(now)
            life = IDLE_DURABLE_S if channel.rules.durable else channel.rules.history_meta_ttl_s
            if not channel.rules.has_history or channel.is_blank(now):
                life = 0
            if not channel.in_use and now - channel.touched >= life:
                self.forget(channel)
            elif not channel.has_members:
                self.room.rests(channel)

    def _give_up_waiting(self, limit: float) -> None:
        for name, channel in list(self._waited_for.items()):
            late = 0
            while late < len(channel.waiting) and channel.waiting[late][2] < limit:
                stream, op, _ = channel.waiting[late]
                late += 1
                answers.refuse(stream, op, BrokerError(100, "the database cannot be reached"))
                self.refused(stream, op)
            del channel.waiting[:late]
            if not channel.waiting or self.channels.get(name) is not channel:
                del self._waited_for[name]


def _nothing(*_: Any) -> None:
    """Until the shard is put together."""
