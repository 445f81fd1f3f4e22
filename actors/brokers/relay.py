"""The outbox's way out: the owner of a channel takes its committed rows, in commit order (DESIGN §5, 10)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import msgspec
import structlog

from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.items import Gap
from actors.brokers.operations import Publish
from actors.brokers.stored import Attributes, change_of, encode_stored, parse_attributes
from actors.brokers.wire import Pub, encode
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import UnknownNamespace
from cluster import tracing
from db.outbox.relay import BATCH, Outbox, Relayed, Waiting

FLOOR_EVERY_S: Final = 5.0
REMEMBERED: Final = 10_000
"""Outbox ids published to memory channels and perhaps not deleted yet."""

decode_pub = msgspec.msgpack.Decoder(Pub).decode

logger = structlog.get_logger(__name__)


class Relay:
    """One shard's relay. `find` returns a channel that is in memory, `get` one that is made if need be.

    `publish(channel, op)` publishes to a memory channel and returns (offset, epoch). `change(fence, rows)` decides
    about rows of persistent maps, and forgets those that are done with; True when there may be more.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        buckets: Callable[[], Iterable[int]] | None = None,
        find: Callable[[str], Channel | None],
        get: Callable[[str], Channel],
        publish: Callable[[Channel, Publish], tuple[int, str]],
        change: Callable[[int, Sequence[Waiting]], Awaitable[bool]],
    ) -> None:
        self._outbox = outbox
        self._buckets = buckets
        self._find = find
        self._get = get
        self._publish = publish
        self._change = change
        self._published: OrderedDict[int, tuple[str, int]] = OrderedDict()
        """Outbox id → (epoch, offset); offset 0 for what is in no history."""
        self._floor_at = 0.0

    async def turn(self, fence: int) -> bool:
        """Move what is committed; True when there may be more."""
        if self._buckets is not None:
            self._outbox.buckets = list(self._buckets())
        now = asyncio.get_running_loop().time()
        if now >= self._floor_at:
            self._floor_at = now + FLOOR_EVERY_S
            await self._outbox.raise_floor()
        if not await self._outbox.has_rows():
            return False
        rows = await self._outbox.relay(fence)
        for row in rows:
            with relayed(row):
                self._accept(row)
        changes = await self._outbox.changes()
        more = bool(changes) and await self._change(fence, changes)
        waiting = await self._outbox.waiting()
        if waiting:
            for entry in waiting:
                if entry.id not in self._published:
                    with relayed(entry):
                        self._publish_once(entry)
            await self._outbox.forget(fence, waiting)
        return more or len(rows) == BATCH or len(waiting) == BATCH

    def _accept(self, row: Relayed) -> None:
        """The row is a committed publication now. A channel that nobody loaded has nobody to tell."""
        channel = self._find(row.channel)
        if channel is None or not channel.loaded:
            return
        if channel.epoch != row.epoch or row.offset > channel.top + 1:
            logger.warning("relayed publication does not follow", channel=row.channel, offset=row.offset)
            channel.epoch, channel.top = row.epoch, row.offset
            channel.ring.clear(row.offset)
            channel.tell(encode(Gap(row.channel)))
        elif row.offset == channel.top + 1:
            pub = encode_stored(
                row.data.encode(), row.offset, row.epoch, row.time_ms, row.attributes, delta=channel.rules.delta_publish
            )
            channel.accept(row.offset, row.epoch, pub, asyncio.get_running_loop().time())
            if row.replaced is not None:
                replace(channel, row.replaced, row.data.encode())
            rare = parse_attributes(row.attributes)
            if rare.version:
                channel.version, channel.version_epoch = rare.version, rare.version_epoch

    def _publish_once(self, row: Waiting) -> None:
        self._published[row.id] = ("", 0)
        if len(self._published) > REMEMBERED:
            self._published.popitem(last=False)
        try:
            channel = self._get(row.channel)
        except (UnknownNamespace, InvalidChannel, BrokerError) as reason:
            # Kept, it would be found first for ever.
            logger.warning(
                "outbox row for a channel that cannot exist is dropped", channel=row.channel, reason=str(reason)
            )
            return
        rare = parse_attributes(row.attributes)
        op = as_op(row, rare)
        if (op.change is None) != (channel.map is None):
            logger.warning("outbox row that does not fit its channel is dropped", channel=row.channel)
            return
        try:
            offset, epoch = self._publish(channel, op)
        except BrokerError as reason:
            logger.warning("outbox row is refused and dropped", channel=row.channel, reason=str(reason))
            return
        self._published[row.id] = (epoch, offset)
        if rare.replaces:
            epoch, replaced = self._published.get(rare.replaces, ("", 0))
            if replaced and epoch == channel.epoch:
                replace(channel, replaced, op.data)


def replace(channel: Channel, offset: int, data: bytes) -> None:
    """Let an earlier publication that is still in memory say this. What else belongs to it stays."""
    channel.ring.replace(offset, lambda pub: encode(msgspec.structs.replace(decode_pub(pub), data=data)))


def relayed(row: Relayed | Waiting) -> AbstractContextManager[object]:
    """The span of a publication on its way out of the outbox, in the trace of the transaction that made it."""
    if not tracing.is_on():
        return nullcontext()
    trace = parse_attributes(row.attributes).trace
    parent = {"traceparent": trace} if trace else None
    return tracing.span("publication", parent=parent, channel=row.channel, outbox=True)


def as_op(row: Waiting, rare: Attributes) -> Publish:
    """The operation that an outbox row stands for. `rare`: its attributes, parsed."""
    change = change_of(rare)
    return Publish(
        0,
        row.channel,
        b"" if change is not None and change.removed else row.data.encode(),
        f"outbox:{row.id}",
        tags=rare.tags,
        idempotency_key=row.idempotency_key,
        version=rare.version,
        version_epoch=rare.version_epoch,
        exclude_clients=rare.exclude_clients,
        exclude_users=rare.exclude_users,
        change=change,
    )
