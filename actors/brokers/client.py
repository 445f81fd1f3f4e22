"""One process's access to all broker shards: `BrokerClient` over links."""

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec
import structlog

from actors.brokers import poll_wire
from actors.brokers.contract import (
    BrokerError,
    ChannelSink,
    ClientInfo,
    HistoryReply,
    HistoryRequest,
    MapKeys,
    MapPublished,
    PollTurn,
    PresenceStats,
    Publication,
    PublishRequest,
    StreamPosition,
    SubscribeCallback,
    SubscribeRequest,
)
from actors.brokers.items import ChannelsRead, HistoryRead, MapAnswer, PresenceRead
from actors.brokers.operations import (
    Channels,
    Departed,
    History,
    HistoryRemove,
    KeyChange,
    MapClear,
    MapRead,
    MapSubscribe,
    Presence,
    Publish,
    Subscribe,
)
from actors.brokers.places import Places
from actors.brokers.poll_wire import PollClaim, PollReport
from actors.brokers.view import ANSWER_WITHIN_S, ShardView
from actors.brokers.wire import Subscriber, publication
from actors.links.link import LinkFull
from actors.links.placement import bucket_of
from actors.links.requests import OVERHEAD_BYTES
from actors.links.shards import ShardCall
from cluster import tracing
from cluster.background import Background

CHECK_EVERY_S: Final = 0.25
LEARN_S: Final = 3.0
LEARN_AGAIN_S: Final = 2.0
LINGERS_S: Final = 1.0
"""A shard that has nothing any more is left after this: by then it has been told that its last word was read."""

AWAY_S: Final = ANSWER_WITHIN_S
"""A shard that has not answered for so long may have ended, and nobody there will say where its buckets went."""

logger = structlog.get_logger(__name__)

DEPARTED_PER_OPERATION: Final = 200
"""A submit must stay small (`actors.links.link.SUBMIT_BYTES`)."""


POLL_BYTES: Final = 60_000
"""Keys or values of a shared poll in one operation, for the same reason."""

T = TypeVar("T")


class Brokers:
    """`BrokerClient` of one process. Without a sink it can publish and ask, but nothing is delivered."""

    def __init__(self, boot_id: str, sink: ChannelSink | None, *, shards: int, call: ShardCall) -> None:
        """`shards`: how many there are unless buckets were moved, which the shards tell."""
        self._numbers = itertools.count(1)
        self._make = partial(self._view_of, boot_id, sink, self._numbers)
        self._call = call
        self._places = Places(shards)
        self._learn_at = float("-inf")
        self._learned = asyncio.Event()
        self._sessions: dict[int, int] = {}
        """Shard → the stream that was there when the rows were read."""
        self._unused: dict[int, float] = {}
        """Shards that have nothing any more, since when."""
        self._views = {shard: self._make(shard) for shard in range(shards)}
        self._checking: asyncio.TimerHandle | None = None
        self._background = Background()

    async def start(self) -> None:
        """Begin to reach the shards; returns at once. Requests wait for them, 4 s at most."""
        for view in self._views.values():
            await view.link.start()
        self._check()

    async def stop(self) -> None:
        """End all links; what is unanswered fails with error 100."""
        if self._checking is not None:
            self._checking.cancel()
        self._background.cancel()
        await asyncio.gather(*(view.link.stop() for view in self._views.values()))
        for view in self._views.values():
            view.check(float("inf"))

    async def wait_attached(self) -> None:
        """Return when every shard's stream exists."""
        await asyncio.gather(*(view.link.wait_attached() for view in self._views.values()))

    @property
    def attached(self) -> bool:
        """Whether the stream of every shard that has something exists and answers: readiness."""
        links = [self._at(shard).link for shard in self._places.in_use]
        return all(link.attached and not link.suspect for link in links)

    def subscribe(self, request: SubscribeRequest, on_result: SubscribeCallback) -> None:
        """Ask; `on_result` is called from the stream, before any publication after its position. Never raises."""
        since = request.since
        subscriber = Subscriber(
            request.subscription,
            request.info,
            request.presence,
            request.join_leave,
        )
        if request.map is not None:
            step = request.map
            self._view(request.channel).subscribe(
                MapSubscribe(
                    request.channel,
                    subscriber,
                    step.phase,
                    step.limit,
                    step.cursor,
                    step.since.epoch if step.since is not None else "",
                    step.since.offset if step.since is not None else 0,
                    step.start,
                    step.ascending,
                ),
                on_result,
            )
            return
        op = Subscribe(
            request.channel,
            subscriber,
            recover=since is not None,
            epoch=since.epoch if since is not None else "",
            offset=since.offset if since is not None else 0,
            limit=request.recovery_limit,
            cache_mode=request.cache_mode,
        )
        self._view(request.channel).subscribe(op, on_result)

    def unsubscribe(self, channel: str, subscription: int, info: ClientInfo, *, last: bool) -> None:
        """Give a subscription up, answered or not."""
        self._view(channel).unsubscribe(channel, subscription)

    async def publish(self, request: PublishRequest) -> StreamPosition:
        """Publish. Returning means acknowledged: on a durable channel, committed. Raises BrokerError."""
        answer = await self._publish(request)
        return answer.position if isinstance(answer, MapPublished) else answer

    async def map_publish(self, request: PublishRequest) -> MapPublished:
        """Set or remove a key of a map. Raises BrokerError 106 for a limit, 107 where the channel is no map."""
        answer = await self._publish(request)
        return answer if isinstance(answer, MapPublished) else MapPublished(answer)

    async def map_read(
        self, channel: str, *, limit: int, cursor: str = "", key: str = "", asc: bool = False
    ) -> MapKeys:
        """A page of keys, or one key, or with `limit` 0 only how many there are."""
        answer: MapAnswer = await self._view(channel).ask(
            lambda number: MapRead(number, channel, limit, cursor, key, asc)
        )
        entries = [publication(pub) for pub in answer.state]
        return MapKeys(StreamPosition(answer.epoch, answer.offset), answer.keys, entries, answer.cursor)

    async def map_clear(self, channel: str) -> None:
        """Forget all keys and the stream of a map."""
        await self._view(channel).ask(lambda number: MapClear(number, channel))

    async def _publish(self, request: PublishRequest) -> StreamPosition | MapPublished:
        change = None
        if request.change is not None:
            asked = request.change
            expected = None if asked.expected is None else (asked.expected.epoch, asked.expected.offset)
            change = KeyChange(asked.key, asked.removed, asked.score, asked.mode, expected, asked.ttl_s)
        info = request.info
        tags = dict(request.tags) if request.tags else None
        with tracing.span("publication", channel=request.channel):
            answer: StreamPosition | MapPublished = await self._view(request.channel).ask(
                lambda number: Publish(
                    number,
                    request.channel,
                    request.data,
                    request.publication_id,
                    info,
                    tags,
                    request.idempotency_key,
                    request.delta,
                    request.skip_history,
                    request.version,
                    request.version_epoch,
                    tuple(request.exclude_clients),
                    tuple(request.exclude_users),
                    change=change,
                ),
                len(request.data),
            )
        return answer

    async def poll_claim(self, channel: str, keys: Mapping[str, int]) -> PollTurn:
        """These keys of a shared poll are tracked here; whose turn is it to ask for them? Raises BrokerError."""
        ask: dict[str, int] = {}
        values: list[Publication] = []
        for part in _portions(keys.items(), lambda item: len(item[0])):
            turn = await self._poll_claim(channel, dict(part))
            ask.update(turn.ask)
            values += [poll_wire.polled(value) for value in turn.values]
        return PollTurn(ask, values)

    async def _poll_claim(self, channel: str, keys: dict[str, int]) -> poll_wire.PollTurn:
        turn: poll_wire.PollTurn = await self._view(channel).ask(
            lambda number: PollClaim(number, channel, keys), OVERHEAD_BYTES + sum(map(len, keys))
        )
        return turn

    def poll_report(
        self, channel: str, asked: Collection[str], values: Sequence[Publication], *, end: bool, failed: bool = False
    ) -> None:
        """The backend of a shared poll was asked for these keys and answered these values. Never raises."""
        link = self._view(channel).link
        if link.suspect:
            # Nobody waits for a report: what is not told is asked for again.
            return
        outcome = (poll_wire.FAILED if failed else poll_wire.DONE) if end else poll_wire.GOES_ON
        reports = [PollReport(channel, list(names), []) for names in _portions(asked, len)]
        parts = _portions(values, lambda value: len(value.key) + len(value.data))
        reports += [PollReport(channel, [], [poll_wire.value_of(value) for value in part]) for part in parts]
        reports += [PollReport(channel, [], [], outcome)] if end else []
        for report in reports:
            size = sum(map(len, report.asked)) + sum(len(value.key) + len(value.data) for value in report.values)
            try:
                link.send(report, OVERHEAD_BYTES + size)
            except LinkFull:
                return

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """Read the stream. Raises BrokerError 112 when `since.epoch` is another one."""
        since = request.since
        answer: HistoryRead = await self._view(request.channel).ask(
            lambda number: History(
                number,
                request.channel,
                request.limit,
                since is not None,
                since.epoch if since is not None else "",
                since.offset if since is not None else 0,
                request.reverse,
            )
        )
        position = StreamPosition(answer.epoch, answer.offset)
        return HistoryReply(position, [publication(pub) for pub in answer.pubs])

    async def history_remove(self, channel: str) -> None:
        """Forget the publications, keep epoch and offset."""
        await self._view(channel).ask(lambda number: HistoryRemove(number, channel))

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Connections in the channel by client id."""
        answer: PresenceRead = await self._view(channel).ask(lambda number: Presence(number, channel, full=True))
        return {info.client: info for info in answer.infos}

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Counts only."""
        answer: PresenceRead = await self._view(channel).ask(lambda number: Presence(number, channel, full=False))
        return PresenceStats(answer.clients, answer.users)

    async def channels(self, pattern: str = "") -> Mapping[str, int]:
        """Channels with subscribers → number of connections, over all shards. `pattern` is a glob."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._learned.wait()
        except TimeoutError:
            raise BrokerError(100, "it is not known which shards there are") from None
        views = [self._at(shard) for shard in sorted(self._places.in_use)]
        answers: list[ChannelsRead] = await asyncio.gather(
            *(view.ask(lambda number: Channels(number, pattern)) for view in views)
        )
        return {channel: count for answer in answers for channel, count in answer.channels.items()}

    def departed(self, boot: str, who: Mapping[str, Sequence[ClientInfo]]) -> None:
        """Tell the shards, at least once, whom the roster has seen leave with process `boot`: channel → connections."""
        for channel, gone in who.items():
            for start in range(0, len(gone), DEPARTED_PER_OPERATION):
                infos = list(gone[start : start + DEPARTED_PER_OPERATION])
                size = OVERHEAD_BYTES + sum(100 + len(info.conn_info) + len(info.chan_info) for info in infos)
                self._view(channel).note(Departed(channel, boot, infos, next(self._numbers)), size)

    def _view(self, channel: str) -> ShardView:
        if self._places.is_one:
            return self._views[0]
        return self._at(self._places.shard_of(bucket_of(channel)))

    def _at(self, shard: int) -> ShardView:
        view = self._views.get(shard)
        if view is None:
            view = self._views[shard] = self._make(shard)
            self._background.spawn(view.link.start())
        return view

    def _view_of(self, boot: str, sink: ChannelSink | None, numbers: Iterator[int], shard: int) -> ShardView:
        return ShardView(boot, shard, self._call, sink, numbers, moved=self._on_moved)

    # Moves ------------------------------------------------------------------------------------------------------------

    def _on_moved(self, view: ShardView, buckets: list[int], shard: int) -> None:
        """A shard has said its last word about these buckets: go on where they are now."""
        places = self._places
        # What was learned since about the others is newer.
        places.put([bucket for bucket in buckets if places.shard_of(bucket) == view.shard], shard)
        bring: dict[int, set[int]] = {}
        for bucket in buckets:
            bring.setdefault(places.shard_of(bucket), set()).add(bucket)
        for target, group in bring.items():
            self._at(target).bring(view.take_away(group))

    def _drop_unused(self, now: float) -> None:
        unused = self._views.keys() - self._places.in_use - {0}
        self._unused = {shard: self._unused.get(shard, now) for shard in unused}
        for shard in [shard for shard, since in self._unused.items() if since <= now - LINGERS_S]:
            view = self._views.pop(shard)
            # What it was asked about all its channels stays behind, and nobody will answer that.
            view.check(float("inf"))
            self._background.spawn(view.link.stop())

    def _learn_if_due(self, now: float) -> None:
        views = self._views.items()
        is_new = any(view.link.attached and self._sessions.get(shard, 1) != view.link.session for shard, view in views)
        is_away = any(view.answered_at <= now - AWAY_S for view in self._views.values())
        if (not self._learned.is_set() or is_new or is_away) and now >= self._learn_at:
            self._learn_at = float("inf")
            self._background.spawn(self._learn())

    async def _learn(self) -> None:
        """Where buckets are according to the rows. Shard 0 always exists.

        Shards say it themselves, to whoever is attached: this is for a process that was not.
        """
        sessions = {shard: view.link.session for shard, view in self._views.items() if view.link.attached}
        loop = asyncio.get_running_loop()
        try:
            owners = msgspec.msgpack.decode(await self._call(0, "owners", b"", LEARN_S), type=dict[int, int])
        except Exception as reason:
            logger.debug("owners of buckets are not known yet", reason=repr(reason))
            return
        finally:
            self._learn_at = loop.time() + LEARN_AGAIN_S
        self._sessions = sessions
        for (shard, owner), buckets in self._places.differing(owners).items():
            view = self._views.get(shard)
            is_away = view is not None and view.answered_at <= loop.time() - AWAY_S
            if view is not None and not is_away:
                # Of what it was asked about it says itself where it went, after its last answer.
                buckets -= view.concerned()
            self._places.put(buckets, owner)
            if buckets:
                there = self._at(owner)
                if view is not None and is_away:
                    there.bring(view.take_away(buckets, told=False))
        self._learned.set()

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for view in list(self._views.values()):
            view.check(now)
            view.comparing.check(now, answers=view.answers)
        self._drop_unused(now)
        self._learn_if_due(now)
        self._checking = loop.call_later(CHECK_EVERY_S, self._check)


def _portions(entries: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut what is to be sent into operations that are small enough."""
    part: list[T] = []
    size = 0
    for entry in entries:
        if part and size + size_of(entry) > POLL_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += size_of(entry) + 10
    if part:
        yield part
