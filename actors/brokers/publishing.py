"""Publications: those of memory channels are made in the turn, durable ones are committed first."""

import asyncio
from collections.abc import Callable, Mapping

from actors.brokers.channel import Channel, encode_pub
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import Acknowledged, Publish, encode
from actors.links.stream import ClientStream


class Publishing:
    """Takes `Publish`. Acknowledgements of one submit leave together: `flush` after its last operation."""

    def __init__(self, table: ChannelTable, committer: Committer, *, wall_ms: Callable[[], int]) -> None:
        self._table = table
        self._committer = committer
        self._wall_ms = wall_ms
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
        if channel.rules.durable:
            self._committer.publish(stream, channel, op)
        elif op.resent:
            raise BrokerError(100, "not acknowledged by the shard's last incarnation")
        else:
            self._acks.append((op.request, *self.publish_memory(channel, op)))

    def publish_memory(self, channel: Channel, op: Publish) -> tuple[int, str]:
        """Publish on a memory channel, now. Returns (offset, epoch); offset 0 without history."""
        now = asyncio.get_running_loop().time()
        if op.idempotency_key:
            known = channel.idempotent(op.idempotency_key, now)
            if known is not None:
                return known
        if op.version:
            if channel.is_stale(op.version, op.version_epoch):
                return channel.top, channel.epoch
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
        return offset, epoch
