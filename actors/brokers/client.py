"""One process's access to all broker shards: `BrokerClient` over links."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from actors.brokers.contract import (
    BrokerError,
    ChannelSink,
    ClientInfo,
    HistoryReply,
    HistoryRequest,
    PresenceStats,
    Publication,
    PublishRequest,
    StreamPosition,
    SubscribeCallback,
    SubscribeReply,
    SubscribeRequest,
)
from actors.brokers.wire import (
    Acknowledged,
    Channels,
    ChannelsRead,
    EpochChanged,
    Failed,
    Gap,
    History,
    HistoryRead,
    HistoryRemove,
    Item,
    Joined,
    Left,
    Operation,
    Presence,
    PresenceRead,
    Publish,
    Published,
    Repair,
    Resume,
    Resumed,
    Subscribe,
    Subscribed,
    SubscribeFailed,
    Subscriber,
    Synced,
    TakenAway,
    Unsubscribe,
    from_wire,
    publication,
    to_wire,
)
from actors.links.frames import Batch
from actors.links.link import Link, LinkFull
from actors.links.placement import shard_of

ANSWER_WITHIN_S: Final = 4.0
"""After this a request is answered with error 100. SDKs give up at 5 s and reconnect the whole connection."""

CHECK_EVERY_S: Final = 0.25
OVERHEAD_BYTES: Final = 160
"""What an operation weighs in the up-buffer beside its payload."""

ShardCall = Callable[[int, str, bytes, float], Awaitable[bytes]]
"""(shard, method, payload, timeout_s) → answer."""

logger = structlog.get_logger(__name__)

_NOT_ACKNOWLEDGED = "not acknowledged"


@dataclass(slots=True)
class _Held:
    """What this process holds of one channel, and up to where it has seen it."""

    epoch: str = ""
    offset: int = 0
    subscribers: dict[int, Subscriber] = field(default_factory=dict)
    repairing: bool = False
    """Publications are dropped until `Resumed` brings them: it contains all that come before it."""


@dataclass(slots=True)
class _Asked:
    op: Any
    future: asyncio.Future[Any]
    since: float


@dataclass(slots=True)
class _Pending:
    op: Subscribe
    callback: SubscribeCallback
    since: float


class _ShardView:
    """The part of the client that concerns one shard."""

    def __init__(self, boot: str, shard: int, call: ShardCall, sink: ChannelSink | None, ids: Iterator[int]) -> None:
        self.held: dict[str, _Held] = {}
        self.asked: dict[int, _Asked] = {}
        self.pending: dict[tuple[str, int], _Pending] = {}
        self._sink = sink
        self._ids = ids

        async def call_shard(method: str, payload: bytes, timeout_s: float) -> bytes:
            return await call(shard, method, payload, timeout_s)

        self.link: Link[Operation, Item] = Link(
            boot,
            call_shard,
            Batch[Item],
            on_items=self._on_items,
            on_attached=self._on_attached,
            on_expired=self._on_expired,
        )
        self._handlers: dict[type, Callable[[Any], None]] = {
            Joined: self._on_joined,
            Left: self._on_left,
            Subscribed: self._on_subscribed,
            SubscribeFailed: self._on_subscribe_failed,
            Acknowledged: self._on_acknowledged,
            Failed: self._on_failed,
            Gap: self._on_gap,
            Resumed: self._on_resumed,
            HistoryRead: self._on_answer,
            PresenceRead: self._on_answer,
            ChannelsRead: self._on_answer,
            EpochChanged: self._on_epoch_changed,
            TakenAway: self._on_taken_away,
        }

    # Up ---------------------------------------------------------------------------------------------------------------

    def ask(self, make: Callable[[int], Operation], size: int) -> asyncio.Future[Any]:
        """Send a request; its future is resolved by the answer, or fails with BrokerError in time."""
        loop = asyncio.get_running_loop()
        request = next(self._ids)
        op = make(request)
        try:
            self.link.send(op, size + OVERHEAD_BYTES)
        except LinkFull:
            raise BrokerError(111, "too many requests wait for the shard") from None
        future: asyncio.Future[Any] = loop.create_future()
        self.asked[request] = _Asked(op, future, loop.time())
        return future

    def subscribe(self, op: Subscribe, callback: SubscribeCallback) -> None:
        try:
            self.link.send(op, OVERHEAD_BYTES)
        except LinkFull:
            refusal = BrokerError(111, "too many requests wait for the shard")
            asyncio.get_running_loop().call_soon(callback, refusal)
            return
        key = (op.channel, op.subscriber.subscription)
        self.pending[key] = _Pending(op, callback, asyncio.get_running_loop().time())

    def unsubscribe(self, channel: str, subscription: int) -> None:
        self.pending.pop((channel, subscription), None)
        held = self.held.get(channel)
        if held is not None:
            held.subscribers.pop(subscription, None)
            if not held.subscribers:
                del self.held[channel]
        self.link.send(Unsubscribe(channel, subscription), OVERHEAD_BYTES, may_expire=False)

    def check(self, now: float) -> None:
        """Answer with error 100 what has waited too long. Both tables are in the order of asking."""
        limit = now - ANSWER_WITHIN_S
        while self.asked:
            request, asked = next(iter(self.asked.items()))
            if asked.since > limit and not asked.future.done():
                break
            del self.asked[request]
            _fail(asked, 100, _NOT_ACKNOWLEDGED)
        while self.pending:
            (channel, subscription), pending = next(iter(self.pending.items()))
            if pending.since > limit:
                break
            # The shard may register it yet; it must not stay registered.
            self.unsubscribe(channel, subscription)
            pending.callback(BrokerError(100, "the shard did not answer"))

    # The stream -------------------------------------------------------------------------------------------------------

    def _on_items(self, items: list[Item]) -> None:
        channel = ""
        run: list[Publication] = []
        for item in items:
            if type(item) is Published:
                if item.channel != channel and run:
                    self._deliver(channel, run)
                    run = []
                channel = item.channel
                pub = item.pub
                held = self.held.get(channel)
                if held is None or held.repairing:
                    continue
                if pub.offset:
                    if pub.epoch != held.epoch or pub.offset > held.offset + 1:
                        if run:
                            self._deliver(channel, run)
                            run = []
                        self._repair(channel, held)
                        continue
                    if pub.offset <= held.offset:
                        continue
                    held.offset = pub.offset
                run.append(publication(pub))
                continue
            if run:
                self._deliver(channel, run)
                run = []
            self._handle(item)
        if run:
            self._deliver(channel, run)

    def _handle(self, item: Item) -> None:
        try:
            self._handlers[type(item)](item)
        except Exception:
            logger.exception("item failed", item=type(item).__name__)

    def _deliver(self, channel: str, publications: Sequence[Publication]) -> None:
        if self._sink is not None:
            try:
                self._sink.on_publications(channel, publications)
            except Exception:
                logger.exception("sink failed", channel=channel)

    def _repair(self, channel: str, held: _Held) -> None:
        held.repairing = True
        self.link.send(Repair(channel, held.epoch, held.offset), OVERHEAD_BYTES, may_expire=False)

    def _on_gap(self, item: Gap) -> None:
        held = self.held.get(item.channel)
        # A channel without history has lost what it lost.
        if held is not None and held.epoch and not held.repairing:
            self._repair(item.channel, held)

    def _on_resumed(self, item: Resumed) -> None:
        held = self.held.get(item.channel)
        if held is None or not held.repairing:
            return
        held.repairing = False
        had = bool(held.epoch)
        held.epoch, held.offset = item.epoch, item.offset
        if item.ok:
            if item.pubs:
                self._deliver(item.channel, [publication(pub) for pub in item.pubs])
        elif had and self._sink is not None:
            self._sink.on_insufficient(item.channel)

    def _on_epoch_changed(self, item: EpochChanged) -> None:
        held = self.held.get(item.channel)
        if held is not None:
            held.epoch, held.offset = item.epoch, item.offset
            if self._sink is not None:
                self._sink.on_insufficient(item.channel)

    def _on_joined(self, item: Joined) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_join(item.channel, from_wire(item.info))

    def _on_left(self, item: Left) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_leave(item.channel, from_wire(item.info))

    def _on_taken_away(self, item: TakenAway) -> None:
        if self._sink is not None:
            self._sink.on_unsubscribed(item.channel, item.client, item.code, item.reason)

    def _on_subscribed(self, item: Subscribed) -> None:
        pending = self.pending.pop((item.channel, item.subscription), None)
        if pending is None:
            return
        held = self.held.get(item.channel)
        if held is None:
            held = self.held[item.channel] = _Held(item.epoch, item.offset)
        elif not held.epoch:
            held.epoch, held.offset = item.epoch, item.offset
        held.subscribers[item.subscription] = pending.op.subscriber
        position = StreamPosition(item.epoch, item.offset)
        pubs = [publication(pub) for pub in item.pubs]
        pending.callback(SubscribeReply(item.channel, item.subscription, position, item.recovered, pubs))

    def _on_subscribe_failed(self, item: SubscribeFailed) -> None:
        pending = self.pending.pop((item.channel, item.subscription), None)
        if pending is not None:
            pending.callback(BrokerError(item.code, item.message))

    def _on_acknowledged(self, item: Acknowledged) -> None:
        asked = self.asked
        for request, offset, epoch in item.results:
            found = asked.pop(request, None)
            if found is not None and not found.future.done():
                found.future.set_result(StreamPosition(epoch, offset))

    def _on_answer(self, item: HistoryRead | PresenceRead | ChannelsRead) -> None:
        found = self.asked.pop(item.request, None)
        if found is not None and not found.future.done():
            found.future.set_result(item)

    def _on_failed(self, item: Failed) -> None:
        for request in item.requests:
            found = self.asked.pop(request, None)
            if found is not None:
                _fail(found, item.code, item.message)

    # Resets -----------------------------------------------------------------------------------------------------------

    def _on_attached(self, unsent: Sequence[Operation]) -> None:
        """Tell a shard that knows nothing of us what we hold, then ask again what was not answered."""
        fresh = {id(op) for op in unsent}
        for channel, held in self.held.items():
            held.repairing = True
            resume = Resume(channel, held.epoch, held.offset, list(held.subscribers.values()))
            self.link.send(resume, OVERHEAD_BYTES * (1 + len(held.subscribers)), may_expire=False)
        self.link.send(Synced(), OVERHEAD_BYTES, may_expire=False)
        now = asyncio.get_running_loop().time()
        for pending in self.pending.values():
            self.link.send(pending.op, OVERHEAD_BYTES, may_expire=False)
        for asked in self.asked.values():
            if asked.since <= now - ANSWER_WITHIN_S:
                continue
            op = asked.op
            if isinstance(op, Publish) and id(op) not in fresh and not op.resent:
                # It may have reached the last incarnation. A durable channel knows by its id, a memory channel refuses.
                op = asked.op = _as_resent(op)
            size = len(op.data) if isinstance(op, Publish) else 0
            self.link.send(op, size + OVERHEAD_BYTES, may_expire=False)

    def _on_expired(self, operations: Sequence[Operation]) -> None:
        for op in operations:
            if isinstance(op, Subscribe):
                pending = self.pending.pop((op.channel, op.subscriber.subscription), None)
                if pending is not None:
                    pending.callback(BrokerError(100, "the shard cannot be reached"))
            elif isinstance(op, Publish | History | HistoryRemove | Presence | Channels):
                asked = self.asked.pop(op.request, None)
                if asked is not None:
                    _fail(asked, 100, "the shard cannot be reached")


class Brokers:
    """`BrokerClient` of one process. Without a sink it can publish and ask, but nothing is delivered."""

    def __init__(self, boot_id: str, sink: ChannelSink | None, *, shards: int, call: ShardCall) -> None:
        ids = itertools.count(1)
        self._views = [_ShardView(boot_id, shard, call, sink, ids) for shard in range(shards)]
        self._checking: asyncio.TimerHandle | None = None
        self._placed: dict[str, _ShardView] = {}

    async def start(self) -> None:
        """Begin to reach the shards; returns at once. Requests wait for them, 4 s at most."""
        for view in self._views:
            await view.link.start()
        self._check()

    async def stop(self) -> None:
        """End all links; what is unanswered fails with error 100."""
        if self._checking is not None:
            self._checking.cancel()
        await asyncio.gather(*(view.link.stop() for view in self._views))
        for view in self._views:
            view.check(float("inf"))

    async def wait_attached(self) -> None:
        """Return when every shard's stream exists."""
        await asyncio.gather(*(view.link.wait_attached() for view in self._views))

    @property
    def attached(self) -> bool:
        """Whether every shard's stream exists and answers: readiness."""
        return all(view.link.attached and not view.link.suspect for view in self._views)

    def subscribe(self, request: SubscribeRequest, on_result: SubscribeCallback) -> None:
        """Ask; `on_result` is called from the stream, before any publication after its position. Never raises."""
        since = request.since
        op = Subscribe(
            request.channel,
            Subscriber(request.subscription, _info(request.info), request.presence, request.join_leave),
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
        info = to_wire(request.info)
        tags = dict(request.tags) if request.tags else None
        position: StreamPosition = await self._view(request.channel).ask(
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
            ),
            len(request.data),
        )
        return position

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
            ),
            0,
        )
        position = StreamPosition(answer.epoch, answer.offset)
        return HistoryReply(position, [publication(pub) for pub in answer.pubs])

    async def history_remove(self, channel: str) -> None:
        """Forget the publications, keep epoch and offset."""
        await self._view(channel).ask(lambda number: HistoryRemove(number, channel), 0)

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Connections in the channel by client id."""
        answer: PresenceRead = await self._view(channel).ask(lambda number: Presence(number, channel, full=True), 0)
        return {info.client: from_wire(info) for info in answer.infos}

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Counts only."""
        answer: PresenceRead = await self._view(channel).ask(lambda number: Presence(number, channel, full=False), 0)
        return PresenceStats(answer.clients, answer.users)

    async def channels(self, pattern: str = "") -> Mapping[str, int]:
        """Channels with subscribers → number of connections, over all shards. `pattern` is a glob."""
        answers: list[ChannelsRead] = await asyncio.gather(
            *(view.ask(lambda number: Channels(number, pattern), 0) for view in self._views)
        )
        return {channel: count for answer in answers for channel, count in answer.channels.items()}

    def _view(self, channel: str) -> _ShardView:
        if len(self._views) == 1:
            return self._views[0]
        return self._views[shard_of(channel, len(self._views))]

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for view in self._views:
            view.check(now)
        self._checking = loop.call_later(CHECK_EVERY_S, self._check)


def _info(info: ClientInfo) -> Any:
    return to_wire(info)


def _fail(asked: _Asked, code: int, message: str) -> None:
    if not asked.future.done():
        asked.future.set_exception(BrokerError(code, message))


def _as_resent(op: Publish) -> Publish:
    return Publish(**{**{name: getattr(op, name) for name in op.__struct_fields__}, "resent": True})
