"""One connection's way into a map: pages of keys, pages of changes, then live."""

from collections.abc import Sequence
from typing import Final

from actors.brokers import contract
from actors.protocol import frames, presence_maps
from actors.protocol.namespace import Namespace
from actors.protocol.namespace_groups import MapOptions
from serve_app.realtime.deltas import delta_message
from serve_app.realtime.encoding import publication_message
from serve_app.realtime.subscription import Lookup, Subscription, SubscriptionState, ttl

_TYPES: Final = {"stream": frames.TYPE_STREAM, "map": frames.TYPE_MAP, "shared_poll": frames.TYPE_SHARED_POLL}
"""What a namespace's `subscription_type` is in a request."""

TYPES: Final = (
    frames.TYPE_STREAM,
    frames.TYPE_MAP,
    frames.TYPE_MAP_CLIENTS,
    frames.TYPE_MAP_USERS,
    frames.TYPE_SHARED_POLL,
)


def type_of(channel: str, namespace: Namespace) -> int:
    """The type with which clients subscribe to a channel."""
    shown = presence_maps.parse(channel)
    return _TYPES[namespace.subscription_type] if shown is None else shown.type


class MapSubscription(Subscription):
    """A subscription to a map. Between two steps it waits for its client, in the state `PAGING`."""

    __slots__ = ("since", "start", "started")

    started: float
    """When the first step was asked for: all must be done within the namespace's time."""
    since: contract.StreamPosition | None
    """Where the first page of keys was read, or up to where the client has the changes."""
    start: int
    """Top of the stream when its pages began."""

    @property
    def options(self) -> MapOptions:
        """The rules of its maps."""
        options = self.namespace.map
        if options is None:
            raise TypeError(f"namespace '{self.namespace.name}' has no maps")
        return options

    @property
    def type(self) -> int:
        """What kind of map it is, in the protocol's words."""
        return type_of(self.channel, self.namespace)

    def begin(self, request: frames.SubscribeRequest, now: float) -> None:
        """The first step. A client that was there before begins with its own position."""
        self.started = now
        self.start = 0
        self.since = None
        if request.phase != frames.PHASE_STATE:
            self.since = contract.StreamPosition(request.epoch, request.offset)

    def next_step(self, command: int, request: frames.SubscribeRequest) -> None:
        """The client has asked for another page."""
        self.command, self.request = command, request
        if request.phase == frames.PHASE_STATE and not request.cursor:
            self.since, self.start = None, 0

    @property
    def due(self) -> float:
        """When all must be read."""
        return self.started + self.options.subscribe_catch_up_timeout_s

    def broker_request(self) -> contract.SubscribeRequest:
        """What the broker is asked: one step."""
        request, options = self.request or frames.SubscribeRequest(), self.options
        wanted = request.limit if request.limit > 0 else options.default_page_size
        step = contract.MapStep(
            phase=request.phase,
            limit=min(max(wanted, options.min_page_size), options.max_page_size),
            cursor=request.cursor,
            since=self.since,
            start=self.start,
            ascending=request.asc,
        )
        return contract.SubscribeRequest(
            channel=self.channel,
            subscription=self.attempt,
            info=self.info,
            presence=self.namespace.presence,
            join_leave=self.namespace.join_leave,
            positioned=True,
            map=step,
        )

    def turn_page(self, page: contract.MapPage, *, binary: bool) -> frames.SubscribeResult:
        """A step that does not go live yet: remember where the next one goes on, and tell the client."""
        self.since, self.start = page.since, page.start
        self.state = SubscriptionState.PAGING
        return frames.SubscribeResult(
            type=self.type,
            phase=page.phase,
            cursor=page.cursor,
            epoch=page.since.epoch if self.features.recoverable else "",
            offset=page.since.offset if self.features.recoverable else 0,
            state=self._messages(page.state, binary=binary),
            publications=self._messages(page.changes, binary=binary),
        )

    def result(
        self, reply: contract.SubscribeReply, lookup: Lookup, now_wall: float, *, binary: bool
    ) -> frames.SubscribeResult:
        """The message that goes live. `phase` 0 is left out in JSON, and clients count on that."""
        page = reply.page or contract.MapPage(frames.PHASE_LIVE, reply.position)
        result = frames.SubscribeResult(
            data=frames.raw(self.server_data),
            type=self.type,
            state=self._messages(page.state, binary=binary),
            publications=self._messages(page.changes, binary=binary),
            delta=self.features.delta,
            publish_debounce=self.namespace.publish_debounce_ms,
        )
        if self.features.recoverable:
            # The top, also after a recovery: unlike with streams, clients take the position from here.
            result.recoverable = True
            result.epoch, result.offset = reply.position.epoch, reply.position.offset
            result.was_recovering = result.recovered = self.request is not None and self.request.recover
        if self.compact:
            result.id = lookup.number(self.channel)
        if self.expires_at is not None and self.refreshes:
            result.expires = True
            result.ttl = ttl(self.expires_at, now_wall)
        return result

    def _messages(self, publications: Sequence[contract.Publication], *, binary: bool) -> list[frames.Publication]:
        wanted = [each for each in publications if self.is_meant(each)]
        if self.features.delta:
            # Whole, but in the form in which this client reads values that later patches start from.
            return [delta_message(each, None, binary=binary) for each in wanted]
        return [publication_message(each) for each in wanted]
