"""Publications: those of memory channels are made in the turn, durable ones are committed first."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from actors.brokers.channel import Channel, encode_pub
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.items import Acknowledged, Suppressed
from actors.brokers.operations import Publish
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import encode
from actors.links.stream import ClientStream

NUL: Final = "\0"


class Publishing:
    """Takes `Publish`. Acknowledgements of one submit leave together: `flush` after its last operation.

    `change(channel, op)` changes a key of a map in memory, and returns '' or why it did not.
    """

    def __init__(
        self,
        table: ChannelTable,
        committer: Committer,
        *,
        wall_ms: Callable[[], int],
        change: Callable[[Channel, Publish], str],
    ) -> None:
        self._table = table
        self._committer = committer
        self._wall_ms = wall_ms
        self._change = change
        self._acks: list[tuple[int, int, str]] = []
        self.handlers: Mapping[type, Handler] = {Publish: self._publish}

    def flush(self, stream: ClientStream) -> None:
        """Acknowledge what was published in this turn."""
        if self._acks:
            stream.push(encode(Acknowledged(self._acks)))
            self._acks = []

    def _publish(self, stream: ClientStream, op: Publish) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        if op.change is not None and channel.map is None:
            raise BrokerError(107, "the channel is no map")
        if not op.resent:
            now = asyncio.get_running_loop().time()
            channel.check_publication(len(op.data), now, by_client=op.info is not None)
            if op.idempotency_key or (op.change is not None and not op.change.removed):
                # What a history keeps makes room for itself; these stay.
                self._table.room.check(now)
        if channel.rules.durable and not _is_ephemeral(op):
            _refuse_what_no_row_holds(op)
            self._committer.publish(stream, channel, op)
        elif op.resent:
            raise BrokerError(100, "not acknowledged by the shard's last incarnation")
        else:
            offset, epoch, suppressed = self._publish_in_memory(channel, op)
            if suppressed:
                stream.push(encode(Suppressed(op.request, epoch, offset, suppressed)))
            else:
                self._acks.append((op.request, offset, epoch))

    def publish_memory(self, channel: Channel, op: Publish) -> tuple[int, str]:
        """Publish on a memory channel, now. Returns (offset, epoch); offset 0 without history."""
        return self._publish_in_memory(channel, op)[:2]

    def _publish_in_memory(self, channel: Channel, op: Publish) -> tuple[int, str, str]:
        if channel.shows is not None:
            raise BrokerError(107, "nobody publishes into presence")
        if channel.rules.shared_poll is not None:
            raise BrokerError(108, "nobody publishes into a shared poll")
        now = asyncio.get_running_loop().time()
        if op.idempotency_key:
            known = channel.idempotent(op.idempotency_key, now)
            if known is not None:
                return (*known, "")
        if channel.map is not None:
            suppressed = self._change(channel, op)
            if op.idempotency_key and not suppressed:
                channel.remember(op.idempotency_key, channel.top, channel.epoch, now)
            return channel.top, channel.epoch, suppressed
        if op.version:
            if channel.is_stale(op.version, op.version_epoch):
                return channel.top, channel.epoch, ""
            channel.version, channel.version_epoch = op.version, op.version_epoch
        rules = channel.rules
        delta = op.delta or rules.delta_publish
        if rules.has_history and not op.skip_history:
            offset, epoch = channel.top + 1, channel.epoch
            channel.accept(offset, epoch, encode_pub(op, offset, epoch, self._wall_ms(), delta=delta), now)
        else:
            offset, epoch = 0, ""
            channel.fan_out(encode_pub(op, 0, "", self._wall_ms(), delta=delta))
        if op.idempotency_key:
            channel.remember(op.idempotency_key, offset, epoch, now)
        return offset, epoch, ""


def _refuse_what_no_row_holds(op: Publish) -> None:
    """Before it is among others: Postgres, whose text has no NUL, would refuse a question about all of them."""
    texts = (op.idempotency_key, op.publication_id, op.version_epoch, "" if op.change is None else op.change.key)
    if any(NUL in text for text in texts):
        raise BrokerError(107, "NUL cannot be stored")
    if op.skip_history and op.change is None:
        raise BrokerError(107, "in a durable channel skip_history goes with neither idempotency_key nor version")


def _is_ephemeral(op: Publish) -> bool:
    """Whether it is for those who listen now, and no part of the stream: nothing of it is to be remembered."""
    return op.skip_history and op.change is None and not op.version and not op.idempotency_key
