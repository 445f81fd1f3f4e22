"""Changes of persistent maps on their way into one commit: decided in order, and laid out as rows of keys."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar

from actors.brokers import map_changes
from actors.brokers.channel import Channel
from actors.brokers.epochs import new_epoch
from actors.brokers.items import EpochChanged, MapAnswer
from actors.brokers.map_state import Draft, Value
from actors.brokers.operations import MapClear, Publish
from actors.brokers.stored import encode_stored, parse_attributes
from actors.brokers.wire import encode
from actors.links.stream import ClientStream
from db.streams.maps import MapRow, StoredKey
from db.streams.store import StreamStore

MAPS_AT_ONCE: Final = 20
"""Maps whose keys one statement reads: each may be large."""


class MapBatch:
    """The changes of one commit. Each is decided as if those before it were already made."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}
        self._rows: dict[tuple[str, str], MapRow] = {}
        self._tags: dict[tuple[str, str], dict[str, str] | None] = {}

    def decide(self, channel: Channel, op: Publish, offset: int) -> str:
        """Whether the change may be made: '' or why its condition does not hold. Raises BrokerError for a limit."""
        if channel.map is None:
            return ""
        draft = self._drafts.setdefault(channel.name, Draft())
        return channel.map.decide(op, draft, channel.epoch, offset)

    def tagged(self, channel: Channel, op: Publish) -> Publish:
        """A change that is decided, with the tags that it goes out with."""
        if channel.map is None or op.change is None:
            return op
        place = (channel.name, op.change.key)
        known = self._tags[place] if place in self._tags else map_changes.tags_of(channel, op.change.key)
        op = map_changes.with_tags(op, known)
        self._tags[place] = op.tags
        return op

    def before(self, channel: Channel, op: Publish) -> bytes | None:
        """What the change replaces."""
        if channel.map is None or op.change is None:
            return None
        row = self._rows.get((channel.name, op.change.key))
        if row is not None:
            return None if row.removed else row.data
        value = channel.map.values.get(op.change.key)
        return None if value is None else value.data

    def add(self, channel: Channel, op: Publish, offset: int, time_ms: int, attributes: str | None) -> None:
        """A change that is decided. Of several changes of a key the last one is what stays."""
        change = op.change
        if channel.map is None or change is None:
            return
        self._rows[channel.name, change.key] = MapRow(
            channel.name,
            change.key,
            change.removed,
            offset,
            op.data,
            attributes,
            change.score,
            op.version,
            op.version_epoch,
            time_ms,
        )

    def rows(self) -> list[MapRow]:
        """One row per key that changes."""
        return list(self._rows.values())


class Waiting(Protocol):
    """A publication on its way to the database."""

    channel: Channel
    op: Publish


W = TypeVar("W", bound=Waiting)


class PersistentMaps:
    """What the owner of persistent maps reads and writes beside its commits, on the same connection."""

    def __init__(self, store: StreamStore) -> None:
        self.clears: deque[tuple[ClientStream, Channel, MapClear]] = deque()
        """Maps that are to be forgotten."""
        self._store = store

    async def load(self, channels: Iterable[Channel]) -> None:
        """Give those that are maps exactly the keys that are stored; nobody but this owner changes them."""
        maps = [channel for channel in channels if channel.map is not None]
        for start in range(0, len(maps), MAPS_AT_ONCE):
            part = maps[start : start + MAPS_AT_ONCE]
            _fill(part, await self._store.map_keys([channel.name for channel in part]))

    async def clear(self, fence: int) -> None:
        """Forget what is to be forgotten: keys and stream go, another epoch begins."""
        while self.clears:
            stream, channel, op = self.clears[0]
            epoch = new_epoch()
            await self._store.clear_map(fence, channel.bucket, channel.name, epoch)
            self.clears.popleft()
            forget(channel, epoch)
            stream.push(encode(MapAnswer(op.request, epoch, 0, 0)))

    async def known(self, batch: Iterable[W]) -> list[tuple[W, int]]:
        """Which changes that were sent again are committed, and with which offsets."""
        resent = [entry for entry in batch if entry.op.resent and entry.channel.map is not None]
        found = await self._store.find([e.op.channel for e in resent], [e.op.publication_id for e in resent])
        known = [(entry, found.get((entry.op.channel, entry.op.publication_id))) for entry in resent]
        return [(entry, offset) for entry, offset in known if offset is not None]


def forget(channel: Channel, epoch: str) -> None:
    """Begin a map anew: no keys, no stream, another epoch. Whoever listens comes back and reads it again."""
    if channel.map is not None:
        channel.map.clear()
    channel.epoch, channel.top = epoch, 0
    channel.ring.clear(0)
    channel.tell(encode(EpochChanged(channel.name, epoch, 0)))


def _fill(channels: Sequence[Channel], keys: Iterable[StoredKey]) -> None:
    found: dict[str, list[tuple[str, Value]]] = {channel.name: [] for channel in channels}
    by_name = {channel.name: channel for channel in channels}
    for key in keys:
        channel = by_name[key.channel]
        pub = encode_stored(
            key.data, key.offset, channel.epoch, key.time_ms, key.attributes, delta=channel.rules.delta_publish
        )
        tags = parse_attributes(key.attributes).tags
        value = Value(pub, key.data, key.offset, key.score, key.version, key.version_epoch, tags=tags)
        found[key.channel].append((key.key, value))
    for name, values in found.items():
        state = by_name[name].map
        if state is not None:
            state.load(values)
