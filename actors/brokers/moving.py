"""Moving buckets between shards: freeze, finish the commit, set the rows, carry over, mark (DESIGN §5, 5)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog

from actors.brokers import carrying
from actors.brokers.carrying import Arriving, Landing, Move
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.ownership import Ownership
from actors.brokers.presence import Registry
from actors.brokers.table import ChannelTable
from actors.links.shards import ShardCall
from actors.links.stream import LEASE_S, StreamServer
from cluster.background import Background
from db.streams.errors import StreamError
from db.streams.reader import StreamReader

CALL_S: Final = 1.0
RESOLVE_S: Final = 3.0
CHUNK: Final = 500
"""Channels per call: with full rings that is a megabyte or two."""

LOCATE_AGAIN_S: Final = 0.5
ENSURE_EVERY_S: Final = 5.0
"""How often shard 0 sees to it that every shard that owns something is hosted: settings only know the first ones."""


logger = structlog.get_logger(__name__)


class MoveFailed(Exception):
    """The buckets stay where they were."""


class Moving:
    """A shard's part in moves: giving buckets away, taking them, and finding out whose they are."""

    def __init__(
        self,
        incarnation: str,
        ownership: Ownership,
        table: ChannelTable,
        registry: Registry,
        committer: Committer,
        reader: StreamReader,
        background: Background,
        streams: StreamServer[Any],
        *,
        call: ShardCall | None,
        open_shard: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._incarnation = incarnation
        self._ownership = ownership
        self._table = table
        self._registry = registry
        self._committer = committer
        self._reader = reader
        self._background = background
        self._streams = streams
        self._call = call
        self._open_shard = open_shard
        self._ensure_at = 0.0
        self._locating = False
        self.landed: Callable[[Channel], None] = lambda channel: None
        """Told of every channel that has come."""
        self._landed: list[carrying.Carried] = []
        ownership.locate = self._locate_soon

    async def move(self, payload: bytes) -> bytes:
        """Give buckets away (`carrying.Move`). Raises MoveFailed: nothing has changed."""
        order = msgspec.msgpack.decode(payload, type=Move)
        ownership = self._ownership
        buckets = [bucket for bucket in order.buckets if bucket in ownership.settled]
        if not buckets or order.shard == ownership.shard:
            return b""
        if self._call is None:
            raise MoveFailed("this shard cannot reach others")
        announced = msgspec.msgpack.encode(Arriving(buckets))
        try:
            target = (await self._call(order.shard, "expect", announced, CALL_S)).decode()
        except Exception as reason:
            raise MoveFailed(f"shard {order.shard} does not answer: {reason!r}") from reason
        ownership.frozen.update(buckets)
        try:
            await self._committer.handover.give(buckets, order.shard, target)
        except StreamError as reason:
            # Given or not? The rows say.
            if await self._still_ours(buckets):
                ownership.thaw(buckets)
                raise MoveFailed(repr(reason)) from reason
        await self._carry_over(buckets, order.shard)
        return b""

    async def expect(self, payload: bytes) -> bytes:
        """Buckets will come (`carrying.Arriving`). Answers which incarnation they come to."""
        self._ownership.expect(msgspec.msgpack.decode(payload, type=Arriving).buckets)
        return self._incarnation.encode()

    async def land(self, payload: bytes) -> bytes:
        """Channels of expected buckets (`carrying.Landing`); after the last ones the buckets are served."""
        landing = msgspec.msgpack.decode(payload, type=Landing)
        expected = self._ownership.arriving
        if not all(bucket in expected for bucket in landing.buckets):
            raise BrokerError(100, "these buckets are not expected (any more)")
        self._landed += landing.channels
        self._ownership.expect(landing.buckets)
        if landing.last:
            await self._committer.handover.take_again()
            if all(bucket in expected for bucket in landing.buckets):
                self._unpack()
                self._ownership.arrived(landing.buckets)
                self._committer.poke()
        return b""

    @property
    def followed(self) -> bool:
        """Whether every process has read its marks. One that does not read loses its lease, and counts no more."""
        return all(stream.trimmed >= max(stream.moved.values(), default=0) for stream in self._streams.clients.values())

    def check(self, now: float) -> None:
        """Buckets that did not arrive in time are begun without their past, if they are ours at all."""
        if self._ownership.lost:
            self._locate_soon()
        if self._ownership.shard == 0 and self._open_shard is not None and now >= self._ensure_at:
            self._ensure_at = now + ENSURE_EVERY_S
            self._background.spawn(self._ensure_others(self._open_shard))
        late = self._ownership.overdue(now)
        if late:
            logger.warning("buckets did not arrive in time", buckets=len(late))
            self._landed = []
            self._background.spawn(self._begin_without(late))

    async def _ensure_others(self, open_shard: Callable[[int], Awaitable[None]]) -> None:
        try:
            for shard in sorted(set((await self._reader.owners()).values()) - {0}):
                await open_shard(shard)
        except Exception as reason:
            logger.warning("shards that own buckets cannot be ensured", reason=repr(reason))

    async def _begin_without(self, buckets: list[int]) -> None:
        for bucket in buckets:
            self._ownership.arriving[bucket] = float("inf")
        try:
            await self._committer.handover.take_again()
        except StreamError as reason:
            logger.warning("buckets cannot be taken", reason=repr(reason))
        for bucket in buckets:
            self._ownership.elsewhere.pop(bucket, None)
        self._ownership.arrived(buckets)
        self._committer.poke()

    def _unpack(self) -> None:
        now = asyncio.get_running_loop().time()
        landed, self._landed = self._landed, []
        names = []
        for carried in landed:
            channel = carrying.unpack(carried, self._table.namespaces, self._registry, self._table.room.memory, now)
            self._table.add(channel)
            self.landed(channel)
            names.append(channel.name)
        self._background.spawn(self._end_orphans(names))

    async def _end_orphans(self, names: list[str]) -> None:
        """Who has not registered again within a lease has left."""
        await asyncio.sleep(LEASE_S)
        for name in names:
            self._registry.end_orphans(name)

    async def _carry_over(self, buckets: list[int], shard: int) -> None:
        """The rows name the new owner: nothing here may fail any more, it can only lose what was in memory."""
        moving = set(buckets)
        now = asyncio.get_running_loop().time()
        channels = [channel for channel in self._table.channels.values() if channel.bucket in moving]
        # Presence as a map begins anew there, and is read again by who listens.
        carried = [channel for channel in channels if channel.shows is None]
        packed = [
            carrying.pack(channel, self._registry, now)
            for channel in carried
            if channel.loaded or channel.rules.durable
        ]
        parts = [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)] or [[]]
        try:
            for number, part in enumerate(parts, 1):
                landing = Landing(buckets, part, last=number == len(parts))
                if self._call is not None:
                    await self._call(shard, "land", msgspec.msgpack.encode(landing), CALL_S)
        except Exception as reason:
            logger.warning("channels could not be carried over", shard=shard, reason=repr(reason))
        for channel in channels:
            self._registry.forget(channel)
            self._table.forget(channel)
        self._table.left(buckets)
        self._ownership.left(buckets, shard)
        for stream in self._streams.clients.values():
            self._ownership.mark(stream, buckets, shard)
        logger.info("buckets moved", buckets=len(buckets), to=shard, channels=len(channels))

    async def _still_ours(self, buckets: list[int]) -> bool:
        deadline = asyncio.get_running_loop().time() + RESOLVE_S
        while True:
            try:
                owners = await self._reader.owners()
                return all(owners.get(bucket, self._ownership.shard) == self._ownership.shard for bucket in buckets)
            except StreamError:
                if asyncio.get_running_loop().time() > deadline:
                    # Not known: nothing is acknowledged for them until the next take-over says whose they are.
                    return True
                await asyncio.sleep(LOCATE_AGAIN_S)

    def _dismiss(self, owners: dict[int, int]) -> None:
        """Buckets that we served and that turned out to be another shard's: say so to everybody."""
        lost, self._ownership.lost = self._ownership.lost, set()
        for bucket in lost & owners.keys():
            for channel in [c for c in self._table.channels.values() if c.bucket == bucket]:
                self._registry.forget(channel)
                self._table.forget(channel)
            self._table.left([bucket])
            for stream in self._streams.clients.values():
                self._ownership.mark(stream, [bucket], owners[bucket])

    def _locate_soon(self) -> None:
        if not self._locating:
            self._locating = True
            self._background.spawn(self._locate())

    async def _locate(self) -> None:
        try:
            owners = await self._reader.owners()
            if any(owner == self._ownership.shard and b not in self._ownership.owned for b, owner in owners.items()):
                await self._committer.handover.take_again()
            self._ownership.located(owners)
            self._dismiss(owners)
        except StreamError as reason:
            logger.warning("owners of buckets cannot be read", reason=repr(reason))
        finally:
            self._locating = False
