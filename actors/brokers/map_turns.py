"""What a shard does with maps: changes of keys, the steps of a subscription, reads, expiry.

A map is a channel whose stream are changes of keys, kept together with the newest value of each. So everything that
holds for streams (offsets, hubs, gaps, fences) holds for maps, ephemeral ones included: they only hide their stream
from clients.
"""

import asyncio
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Final

import structlog

from actors.brokers import answers, map_changes, recovery
from actors.brokers.attempts import Attempt, Attempts
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.epochs import new_epoch
from actors.brokers.items import MapAnswer, MapPage
from actors.brokers.map_durable import forget
from actors.brokers.map_state import NEVER, Draft, MapState, Page
from actors.brokers.operations import KeyChange, MapClear, MapRead, MapSubscribe, Publish
from actors.brokers.pacing import Pacing
from actors.brokers.presence import Registry
from actors.brokers.presence_view import PresenceViews
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import Subscriber, encode, raw
from actors.links.stream import ClientStream
from cluster.background import Background
from db.streams.errors import StreamError
from db.streams.reader import StreamReader

EXPIRED_PER_ROUND: Final = 2_000
"""Keys removed per round of housekeeping: a wave of expiry must not hold up everybody."""

CATCH_UP_BYTES: Final = 512 * 1024
"""Changes that one answer brings at most: half of what a client may leave unread."""

PHASE_LIVE: Final = 0
PHASE_STREAM: Final = 1
PHASE_STATE: Final = 2

logger = structlog.get_logger(__name__)


class MapTurns:
    """Takes what concerns maps. `alive(stream)`: the stream is its process's current one."""

    def __init__(
        self,
        table: ChannelTable,
        registry: Registry,
        committer: Committer,
        reader: StreamReader,
        background: Background,
        attempts: Attempts,
        pacing: Pacing,
        *,
        views: PresenceViews,
        alive: Callable[[ClientStream], bool],
        wall_ms: Callable[[], int],
    ) -> None:
        self._table = table
        self._registry = registry
        self._committer = committer
        self._reader = reader
        self._background = background
        self._attempts = attempts
        self._pacing = pacing
        self._views = views
        self._alive = alive
        self._wall_ms = wall_ms
        self._expiring: list[tuple[float, str]] = []
        self._scheduled: dict[str, float] = {}
        """Map → when it is looked at next; what else of it is in `_expiring` has been overtaken."""
        self.handlers: Mapping[type, Handler] = {
            MapSubscribe: self._subscribe,
            MapRead: self._read,
            MapClear: self._clear,
        }

    # Changes

    def change(self, channel: Channel, op: Publish) -> str:
        """Change a key of a map in memory, now. Returns '' or why its condition does not hold. Raises BrokerError."""
        state, now = _state(channel), asyncio.get_running_loop().time()
        offset, time_ms = channel.top + 1, self._wall_ms()
        suppressed = state.decide(op, Draft(), channel.epoch, offset)
        if suppressed:
            return suppressed
        if op.change is not None:
            op = map_changes.with_tags(op, map_changes.tags_of(channel, op.change.key))
        before = map_changes.before(channel, op)
        pub = map_changes.compose(channel, op, offset, channel.epoch, time_ms, before=before)
        channel.accept(offset, channel.epoch, pub, now)
        map_changes.apply(channel, op, offset, time_ms, now)
        self.schedule(channel)
        return ""

    def left(self, channel: Channel, subscriber: Subscriber) -> None:
        """A connection is no longer subscribed."""
        if channel.map is not None and channel.map.options.remove_client_on_unsubscribe:
            self._remove(channel, subscriber.info.client)

    def _remove(self, channel: Channel, key: str) -> None:
        """Remove a key of a map in memory on the shard's own account."""
        if key in _state(channel).values:
            self.change(channel, Publish(0, channel.name, b"", "", change=KeyChange(key, removed=True)))

    def schedule(self, channel: Channel) -> None:
        """Look at a map when its next key expires."""
        due = NEVER if channel.map is None else channel.map.next_expiry
        if due < self._scheduled.get(channel.name, NEVER):
            self._scheduled[channel.name] = due
            heappush(self._expiring, (due, channel.name))

    def expire(self, now: float) -> None:
        """Remove keys whose time is over, and tell everybody."""
        left = EXPIRED_PER_ROUND
        while self._expiring and self._expiring[0][0] <= now and left > 0:
            due, name = heappop(self._expiring)
            if self._scheduled.get(name) != due:
                continue
            del self._scheduled[name]
            channel = self._table.find(name)
            if channel is None or channel.map is None:
                continue
            for key in channel.map.expired(now, left):
                self._remove(channel, key)
                left -= 1
            self.schedule(channel)

    # Subscriptions

    def _subscribe(self, stream: ClientStream, op: MapSubscribe) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        has_stream = _has_stream(channel)
        channel.check_room()
        channel.ring.expire(asyncio.get_running_loop().time())
        if op.epoch and op.epoch != channel.epoch:
            raise BrokerError(112, "the map has another epoch now")
        if op.phase == PHASE_STATE:
            since = op.offset if op.epoch else channel.top
            page = self._page(channel, op, since)
            if page.cursor:
                stream.push(encode(_page(channel, op, PHASE_STATE, since, cursor=page.cursor, state=page.pubs)))
                return
            self._go_on(stream, channel, op, since, page.pubs)
        elif op.phase == PHASE_STREAM and not has_stream:
            raise BrokerError(107, "an ephemeral map has no stream")
        elif op.phase in (PHASE_LIVE, PHASE_STREAM):
            self._go_on(stream, channel, op, op.offset, [])
        else:
            raise BrokerError(107, "no phase of a map")

    def _page(self, channel: Channel, op: MapSubscribe, since: int) -> Page:
        if channel.shows is None:
            return _state(channel).page(op.cursor, op.limit, ascending=op.ascending, upto=since)
        if self._registry.announcer.rebuilding:
            raise BrokerError(100, "the shard does not know yet who is there")
        return self._views.page(channel, op.cursor, op.limit)

    def _go_on(self, stream: ClientStream, channel: Channel, op: MapSubscribe, since: int, state: list[bytes]) -> None:
        """All keys are read: bring what changed since, and go live if that is little."""
        limit = channel.rules.recovery_max_publications
        start = op.start or channel.top
        if (since == 0 and not op.epoch and op.phase != PHASE_STATE) or since > channel.top:
            raise BrokerError(112, "not a position of this map")
        # A client cannot ask for the stream of an ephemeral map: its last page of keys is the last step.
        live = op.phase == PHASE_LIVE or since + op.limit >= start or not _has_stream(channel)
        if live and channel.top - since > limit:
            raise BrokerError(112, "too much has changed since then")
        wanted = limit if live else op.limit
        if since < channel.ring.base:
            if not channel.rules.durable:
                raise BrokerError(112, "the stream no longer reaches back")
            reading = self._go_on_later(stream, channel, op, since, state, wanted, self._attempts.begin(stream, op))
            self._background.spawn(self._pacing.reading(stream, reading))
            return
        pubs = channel.ring.after(since, wanted)
        if not _has_stream(channel) and len(recovery.fitting(pubs)) < len(pubs):
            raise BrokerError(112, "too much has changed since then")
        self._bring(stream, channel, op, since, state, pubs, live=live)

    async def _go_on_later(
        self,
        stream: ClientStream,
        channel: Channel,
        op: MapSubscribe,
        since: int,
        state: list[bytes],
        wanted: int,
        attempt: Attempt,
    ) -> None:
        """The same beyond memory. After the last `await`, one turn decides and registers (rule 9)."""
        try:
            outcome = await recovery.read_changes_from_database(self._reader, channel, op.epoch, since, wanted)
        except StreamError as reason:
            logger.warning("a map's stream cannot be read", channel=channel.name, reason=str(reason))
            answers.refuse(stream, op, BrokerError(100, "the stream cannot be read now"))
            return
        finally:
            stands = self._attempts.stands(attempt)
            self._attempts.end(attempt)
        if not stands or not self._alive(stream) or self._table.find(channel.name) is not channel:
            return
        if not outcome.recovered:
            answers.refuse(stream, op, BrokerError(112, "the stream no longer reaches back"))
            return
        live = since + len(outcome.pubs) >= channel.top
        self._bring(stream, channel, op, since, state, outcome.pubs, live=live)

    def _bring(
        self,
        stream: ClientStream,
        channel: Channel,
        op: MapSubscribe,
        since: int,
        state: list[bytes],
        pubs: list[bytes],
        *,
        live: bool,
    ) -> None:
        if sum(map(len, pubs)) > CATCH_UP_BYTES and _has_stream(channel):
            pubs, live = recovery.fitting(pubs, CATCH_UP_BYTES), False
        if not live:
            # Keys first, changes with the next step: a reply has one or the other until it goes live.
            pubs = pubs if op.phase != PHASE_STATE else []
            phase = PHASE_STATE if op.phase == PHASE_STATE else PHASE_STREAM
            position = since + len(pubs)
            start = op.start or channel.top
            stream.push(encode(_page(channel, op, phase, position, state=state, pubs=pubs, start=start)))
            return
        is_new = self._registry.add(channel, stream, op.subscriber)
        stream.push(encode(_page(channel, op, PHASE_LIVE, since, state=state, pubs=pubs)))
        if is_new:
            self._registry.join(channel, op.subscriber)

    # Reads

    def _read(self, stream: ClientStream, op: MapRead) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        state = _state(channel)
        pubs, cursor = [], ""
        if op.key:
            value = state.values.get(op.key)
            pubs = [value.pub] if value is not None else []
        elif op.limit > 0:
            page = state.page(op.cursor, min(op.limit, state.options.max_page_size), ascending=op.ascending)
            pubs, cursor = page.pubs, page.cursor
        answer = MapAnswer(op.request, channel.epoch, channel.top, len(state.values), cursor, raw(pubs))
        stream.push(encode(answer))

    def _clear(self, stream: ClientStream, op: MapClear) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        _state(channel)
        if channel.rules.durable:
            self._committer.clear(stream, channel, op)
            return
        forget(channel, new_epoch())
        stream.push(encode(MapAnswer(op.request, channel.epoch, 0, 0)))


def _has_stream(channel: Channel) -> bool:
    """Whether clients may read changes. Raises BrokerError 107 for a channel that is no map."""
    if channel.rules.map is None:
        raise BrokerError(107, "the channel is no map")
    return channel.rules.map.has_stream


def _state(channel: Channel) -> MapState:
    if channel.shows is not None:
        raise BrokerError(107, "presence cannot be changed, and is read by subscribing or with `presence`")
    if channel.map is None:
        raise BrokerError(107, "the channel is no map")
    return channel.map


def _page(
    channel: Channel,
    op: MapSubscribe,
    phase: int,
    offset: int,
    *,
    cursor: str = "",
    state: list[bytes] | None = None,
    pubs: list[bytes] | None = None,
    start: int = 0,
) -> MapPage:
    return MapPage(
        channel.name,
        op.subscriber.subscription,
        phase,
        channel.epoch,
        offset,
        channel.top,
        cursor,
        raw(state or []),
        raw(pubs or []),
        start,
    )
