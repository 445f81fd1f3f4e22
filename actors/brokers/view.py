"""One process's access to one broker shard."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from actors.brokers import contract
from actors.brokers.comparing import Comparing
from actors.brokers.contract import (
    BrokerError,
    ChannelSink,
    StreamPosition,
    SubscribeCallback,
    SubscribeReply,
)
from actors.brokers.following import Following, Held
from actors.brokers.items import (
    Acknowledged,
    ChannelsRead,
    Failed,
    HistoryRead,
    Item,
    MapAnswer,
    MapPage,
    Moved,
    Noted,
    PresenceRead,
    Subscribed,
    SubscribeFailed,
    Suppressed,
)
from actors.brokers.notices import Notice, Notices
from actors.brokers.operations import (
    Channels,
    Compare,
    Departed,
    History,
    HistoryRemove,
    MapClear,
    MapRead,
    MapSubscribe,
    Operation,
    Presence,
    Publish,
    Subscribe,
    Synced,
    Unsubscribe,
)
from actors.brokers.poll_wire import PollClaim, PollTurn
from actors.brokers.wire import publication
from actors.links.frames import Batch
from actors.links.link import Link, LinkFull
from actors.links.placement import bucket_of
from actors.links.requests import OVERHEAD_BYTES, Asked, Requests
from actors.links.shards import ShardCall, link_to

ANSWER_WITHIN_S: Final = 3.0
"""After this a request is answered with error 100. SDKs give up at 5 s and reconnect the whole connection."""

Request = Publish | History | HistoryRemove | Presence | Channels | MapRead | MapClear | PollClaim
"""Operations that have a number and an answer."""

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pending:
    op: Subscribe | MapSubscribe
    callback: SubscribeCallback
    since: float


@dataclass(slots=True)
class Luggage:
    """What goes along from one shard's view to another's when buckets move."""

    held: dict[str, Held] = field(default_factory=dict)
    pending: dict[tuple[str, int], _Pending] = field(default_factory=dict)
    asked: dict[int, Asked[Any]] = field(default_factory=dict)
    notices: dict[int, Notice] = field(default_factory=dict)


class ShardView:
    """The part of the client that concerns one shard: subscriptions that wait, requests, and what is followed."""

    def __init__(
        self,
        boot: str,
        shard: int,
        call: ShardCall,
        sink: ChannelSink | None,
        numbers: Iterator[int],
        *,
        moved: "Callable[[ShardView, list[int], int], None]",
    ) -> None:
        self.shard = shard
        self.answered_at = float("inf")
        """When the shard was last seen to answer, on the event loop's clock."""
        self._moved = moved
        self.pending: dict[tuple[str, int], _Pending] = {}
        self.link: Link[Operation, Item] = link_to(boot, shard, call, Batch[Item], self)
        self.following = Following(sink, self.link.send)
        self.comparing = Comparing(self.following, self.link.send)
        self.notices = Notices(self.link.send)
        self.requests: Requests[Any] = Requests(
            self.link.send, numbers, within_s=ANSWER_WITHIN_S, full=_too_many, late=_not_acknowledged
        )
        self._handlers: dict[type, Callable[[Any], None]] = {
            **self.following.handlers,
            **self.comparing.handlers,
            Subscribed: self._on_subscribed,
            SubscribeFailed: self._on_subscribe_failed,
            Acknowledged: self._on_acknowledged,
            Failed: self._on_failed,
            HistoryRead: self._on_answer,
            PresenceRead: self._on_answer,
            ChannelsRead: self._on_answer,
            MapPage: self._on_map_page,
            MapAnswer: self._on_answer,
            Suppressed: self._on_suppressed,
            PollTurn: self._on_answer,
            Moved: self._on_moved,
            Noted: lambda item: self.notices.taken(item.request),
        }

    @property
    def answers(self) -> bool:
        """Whether the last call to the shard came back."""
        return self.link.attached and not self.link.suspect

    # Up ---------------------------------------------------------------------------------------------------------------

    def ask(self, make: Callable[[int], Operation], size: int = 0) -> asyncio.Future[Any]:
        """Send a request; its future is resolved by the answer, or fails with BrokerError in time."""
        return self.requests.ask(make, size).future

    def subscribe(self, op: Subscribe | MapSubscribe, callback: SubscribeCallback) -> None:
        """Ask for a subscription; `callback` has the answer, in time."""
        try:
            self.link.send(op, OVERHEAD_BYTES)
        except LinkFull:
            asyncio.get_running_loop().call_soon(callback, _too_many())
            return
        key = (op.channel, op.subscriber.subscription)
        self.pending[key] = _Pending(op, callback, asyncio.get_running_loop().time())

    def note(self, notice: Departed, size: int) -> None:
        """Tell the shard something that it must hear at least once."""
        self.notices.tell(notice, size, asyncio.get_running_loop().time())

    def unsubscribe(self, channel: str, subscription: int) -> None:
        """Give a subscription up, answered or not."""
        self.pending.pop((channel, subscription), None)
        self.following.release(channel, subscription)
        self.link.send(Unsubscribe(channel, subscription), OVERHEAD_BYTES, may_expire=False)

    def check(self, now: float) -> None:
        """Answer with error 100 what has waited too long. Subscriptions that wait are in the order of asking."""
        self.requests.check(now)
        self.answered_at = now if self.answers else min(self.answered_at, now)
        if self.answers:
            self.notices.check(now)
            self.following.check(now)
        while self.pending:
            (channel, subscription), pending = next(iter(self.pending.items()))
            if pending.since > now - ANSWER_WITHIN_S:
                break
            # The shard may register it yet; it must not stay registered.
            self.unsubscribe(channel, subscription)
            pending.callback(BrokerError(100, "the shard did not answer"))

    # Down -------------------------------------------------------------------------------------------------------------

    def on_items(self, items: list[Item]) -> None:
        """A batch of the shard's stream."""
        self.following.take(items, self._handle)

    def _handle(self, item: Item) -> None:
        try:
            self._handlers[type(item)](item)
        except Exception:
            logger.exception("item failed", item=type(item).__name__)

    def _on_subscribed(self, item: Subscribed) -> None:
        pending = self.pending.pop((item.channel, item.subscription), None)
        if pending is None:
            return
        self.following.hold(item.channel, pending.op.subscriber, item.epoch, item.offset)
        position = StreamPosition(item.epoch, item.offset)
        pubs = [publication(pub) for pub in item.pubs]
        pending.callback(SubscribeReply(item.channel, item.subscription, position, item.recovered, pubs))

    def _on_map_page(self, item: MapPage) -> None:
        pending = self.pending.pop((item.channel, item.subscription), None)
        if pending is None:
            return
        if item.live:
            self.following.hold(item.channel, pending.op.subscriber, item.epoch, item.top)
        page = contract.MapPage(
            item.phase,
            StreamPosition(item.epoch, item.offset),
            item.cursor,
            item.start,
            [publication(pub) for pub in item.state],
            [publication(pub) for pub in item.pubs],
        )
        position = StreamPosition(item.epoch, item.top)
        pending.callback(SubscribeReply(item.channel, item.subscription, position, page=page))

    def _on_suppressed(self, item: Suppressed) -> None:
        position = StreamPosition(item.epoch, item.offset)
        self.requests.answer(item.request, contract.MapPublished(position, item.reason))

    def _on_subscribe_failed(self, item: SubscribeFailed) -> None:
        pending = self.pending.pop((item.channel, item.subscription), None)
        if pending is not None:
            pending.callback(BrokerError(item.code, item.message))

    def _on_acknowledged(self, item: Acknowledged) -> None:
        answer = self.requests.answer
        for request, offset, epoch in item.results:
            answer(request, StreamPosition(epoch, offset))

    def _on_answer(self, item: HistoryRead | PresenceRead | ChannelsRead | MapAnswer | PollTurn) -> None:
        self.requests.answer(item.request, item)

    def _on_failed(self, item: Failed) -> None:
        for request in item.requests:
            self.requests.fail(request, BrokerError(item.code, item.message))

    # Moves ------------------------------------------------------------------------------------------------------------

    def concerned(self) -> set[int]:
        """Buckets of which something is held or asked here."""
        asked = (asked.op for asked in self.requests.asked.values())
        channels = {op.channel for op in asked if not isinstance(op, Channels)}
        channels.update(self.following.held, (channel for channel, _ in self.pending))
        channels.update(notice.op.channel for notice in self.notices.open.values())
        return set(map(bucket_of, channels))

    def take_away(self, buckets: Collection[int], *, told: bool = True) -> "Luggage":
        """Everything of these buckets that this shard has not answered and will not answer any more.

        Not `told`: it did not say so itself, and may have carried out what it was sent.
        """
        withdrawn = self.link.withdraw(
            lambda op: not isinstance(op, Synced | Channels | Compare) and bucket_of(op.channel) in buckets
        )
        unsent = {id(op) for op in withdrawn}
        luggage = Luggage()
        held = self.following.held
        for channel in [name for name in held if bucket_of(name) in buckets]:
            luggage.held[channel] = held.pop(channel)
        for key in [key for key in self.pending if bucket_of(key[0]) in buckets]:
            luggage.pending[key] = self.pending.pop(key)
        for number, asked in list(self.requests.asked.items()):
            if not isinstance(asked.op, Channels) and bucket_of(asked.op.channel) in buckets:
                luggage.asked[number] = self.requests.asked.pop(number)
                if isinstance(asked.op, Publish) and not told and id(asked.op) not in unsent:
                    asked.op = _as_resent(asked.op)
        luggage.notices = self.notices.take_away(buckets)
        return luggage

    def bring(self, luggage: "Luggage") -> None:
        """Go on here, in the order of asking."""
        for channel, held in luggage.held.items():
            self.following.held[channel] = held
            self.following.resume_one(channel, held)
        for key, pending in luggage.pending.items():
            self.pending[key] = pending
            self.link.send(pending.op, OVERHEAD_BYTES, may_expire=False)
        for number, asked in luggage.asked.items():
            self.requests.asked[number] = asked
            size = len(asked.op.data) if isinstance(asked.op, Publish) else 0
            self.link.send(asked.op, size + OVERHEAD_BYTES, may_expire=False)
        self.notices.bring(luggage.notices, asyncio.get_running_loop().time())

    def _on_moved(self, item: Moved) -> None:
        self._moved(self, item.buckets, item.shard)

    # Resets -----------------------------------------------------------------------------------------------------------

    def on_attached(self, unsent: Sequence[Operation]) -> None:
        """Tell a shard that knows nothing of us what we hold, then ask again what was not answered."""
        fresh = {id(op) for op in unsent}
        self.following.resume()
        self.link.send(Synced(), OVERHEAD_BYTES, may_expire=False)
        for pending in self.pending.values():
            self.link.send(pending.op, OVERHEAD_BYTES, may_expire=False)
        for asked in self.requests.open(asyncio.get_running_loop().time()):
            op = asked.op
            if isinstance(op, Publish) and id(op) not in fresh and not op.resent:
                # It may have reached the last incarnation. A durable channel knows by its id, a memory channel refuses.
                op = asked.op = _as_resent(op)
            size = len(op.data) if isinstance(op, Publish) else 0
            self.link.send(op, size + OVERHEAD_BYTES, may_expire=False)
        self.notices.again(asyncio.get_running_loop().time())

    def on_expired(self, operations: Sequence[Operation]) -> None:
        """The shard did not take these in time."""
        self._fail(operations, _not_acknowledged("the shard cannot be reached"))

    def on_unsendable(self, operations: Sequence[Operation]) -> None:
        """These have a value that no shard could read."""
        self._fail(operations, BrokerError(107, "a value of the request cannot be encoded"))

    def _fail(self, operations: Sequence[Operation], refusal: BrokerError) -> None:
        for op in operations:
            if isinstance(op, Subscribe | MapSubscribe):
                pending = self.pending.pop((op.channel, op.subscriber.subscription), None)
                if pending is not None:
                    pending.callback(refusal)
            elif isinstance(op, Request):
                self.requests.fail(op.request, refusal)
            elif isinstance(op, Departed):
                self.notices.taken(op.request)


def _too_many() -> BrokerError:
    return BrokerError(111, "too many requests wait for the shard")


def _not_acknowledged(reason: str) -> BrokerError:
    return BrokerError(100, f"not acknowledged: {reason}")


def _as_resent(op: Publish) -> Publish:
    return Publish(**{**{name: getattr(op, name) for name in op.__struct_fields__}, "resent": True})
