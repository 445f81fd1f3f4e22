"""Questions about channels: history, presence, which channels there are."""

import asyncio
from collections.abc import Mapping

import structlog

from actors.brokers import answers, recovery
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.items import ChannelsRead, HistoryRead
from actors.brokers.operations import Channels, History, HistoryRemove, Presence
from actors.brokers.pacing import Pacing
from actors.brokers.presence import Registry
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import encode, raw
from actors.links.stream import ClientStream
from cluster.background import Background
from db.streams.errors import StreamError
from db.streams.reader import StreamReader

logger = structlog.get_logger(__name__)


class Questions:
    """Takes what reads, and the removal of a stream's history."""

    def __init__(
        self, table: ChannelTable, registry: Registry, reader: StreamReader, background: Background, pacing: Pacing
    ) -> None:
        self._table = table
        self._registry = registry
        self._reader = reader
        self._background = background
        self._pacing = pacing
        self.handlers: Mapping[type, Handler] = {
            History: self._history,
            HistoryRemove: self._history_remove,
            Presence: self._presence,
            Channels: self._channel_counts,
        }

    def _history(self, stream: ClientStream, op: History) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        rules = channel.rules
        if not rules.has_history:
            raise BrokerError(108, "the namespace keeps no history")
        if op.since and op.epoch and op.epoch != channel.epoch:
            raise BrokerError(112, "the stream has another epoch now")
        channel.ring.expire(asyncio.get_running_loop().time())
        bound = rules.recovery_max_publications
        limit = bound if op.limit < 0 else min(op.limit, bound)
        offset = op.offset if op.since else None
        pubs = recovery.read_history(channel, offset, limit, reverse=op.reverse) if limit else []
        if pubs is None:
            reading = self._history_later(stream, channel, op, offset, limit)
            self._background.spawn(self._pacing.reading(stream, reading))
        else:
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, raw(pubs))))

    async def _history_later(
        self, stream: ClientStream, channel: Channel, op: History, offset: int | None, limit: int
    ) -> None:
        try:
            pubs = await recovery.read_history_from_database(self._reader, channel, offset, limit, reverse=op.reverse)
        except StreamError as reason:
            logger.warning("history cannot be read", channel=channel.name, reason=str(reason))
            answers.refuse(stream, op, BrokerError(100, "the stream cannot be read now"))
        else:
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, raw(pubs))))

    def _history_remove(self, stream: ClientStream, op: HistoryRemove) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        if not channel.rules.has_history:
            raise BrokerError(108, "the namespace keeps no history")
        top = channel.top
        if channel.rules.durable:
            self._background.spawn(self._remove_later(stream, channel, op, top))
            return
        channel.ring.clear(top)
        stream.push(encode(HistoryRead(op.request, channel.epoch, top, [])))

    async def _remove_later(self, stream: ClientStream, channel: Channel, op: HistoryRemove, top: int) -> None:
        try:
            await self._reader.clear(channel.name, top)
        except StreamError as reason:
            logger.warning("history cannot be removed", channel=channel.name, reason=str(reason))
            answers.refuse(stream, op, BrokerError(100, "the stream cannot be changed now"))
        else:
            channel.ring.drop(top)
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, [])))

    def _presence(self, stream: ClientStream, op: Presence) -> None:
        if self._registry.announcer.rebuilding:
            raise BrokerError(100, "the shard does not know yet who is there")
        stream.push(encode(answers.presence(self._table.namespaces, self._table.channels, op)))

    def _channel_counts(self, stream: ClientStream, op: Channels) -> None:
        counts = self._registry.counts(self._table.channels.values(), op.pattern)
        stream.push(encode(ChannelsRead(op.request, counts)))
