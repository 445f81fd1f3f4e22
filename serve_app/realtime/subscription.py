"""One connection's hold on one channel."""

from dataclasses import replace
from enum import Enum
from typing import Protocol

from actors.brokers import contract
from actors.protocol import codes, frames
from actors.protocol.namespace import Namespace
from actors.protocol.overrides import Overrides
from actors.protocol.tags_filter import TagsFilter, both
from serve_app.realtime.actions import AskPermission
from serve_app.realtime.capabilities import NOTHING
from serve_app.realtime.deltas import Patches, recovered_messages
from serve_app.realtime.encoding import fitting, is_excluded, publication_message
from serve_app.realtime.permits import Features

TTL_MAX_S = 365 * 86400
"""Longest life told to a client: SDKs start a timer with it."""


class Lookup(Protocol):
    """What a subscribe reply needs to know of its channel in this process."""

    patches: Patches

    def number(self, channel: str) -> int:
        """What stands for the channel's name in compact pushes; never 0."""


class SubscriptionState(Enum):
    """Where a subscription is on its way."""

    DECIDING = "deciding"
    """A permission callback runs."""
    JOINING = "joining"
    """The broker was asked."""
    PAGING = "paging"
    """A map is being read, and its client has not asked for the next page yet."""
    LIVE = "live"


class Subscription:
    """State of one subscription; changed by its connection only."""

    __slots__ = (
        "again_at", "allow", "attempt", "channel", "command", "compact", "ends_with", "expires_at", "features", "held",
        "imposed", "info", "namespace", "overrides", "question", "refreshes", "request", "server_data", "server_side",
        "state", "tags",
    )  # fmt: skip

    def __init__(
        self,
        channel: str,
        namespace: Namespace,
        attempt: int,
        info: contract.ClientInfo,
        features: Features,
        request: frames.SubscribeRequest,
        *,
        command: int = 0,
        server_side: bool = False,
        server_data: bytes = b"",
        expires_at: float | None = None,
        tags: TagsFilter | None = None,
    ) -> None:
        self.channel = channel
        self.namespace = namespace
        self.attempt = attempt
        self.info = info
        self.features = features
        self.request: frames.SubscribeRequest | None = request
        """What was asked, until it is answered."""
        self.command = command
        self.server_side = server_side
        self.server_data = server_data
        self.expires_at = expires_at
        """Unix time after which the subscription ends, unless it is refreshed."""
        self.question: AskPermission | None = None
        """What a callback was asked, while it is, and for as long as it wants to be asked again."""
        self.again_at: float | None = None
        """Unix time at which it is."""
        self.refreshes = False
        """The client subscribed with a token and sends a new one in time."""
        self.allow = NOTHING
        """Capabilities in the channel."""
        self.overrides: Overrides = ()
        """What a token, or a callback, changed of the namespace's rules."""
        self.tags = tags
        """Only publications whose tags match are wanted."""
        self.imposed: TagsFilter | None = None
        """The part of it that the server imposes."""
        self.state = SubscriptionState.DECIDING
        self.ends_with: codes.UnsubscribeCode | None = None
        """The server took it away before it was answered: it ends right after."""
        self.held: list[frames.Command] | None = None
        """Commands for this channel that arrived before it was live: they keep their order."""
        self.compact = (
            not server_side
            and namespace.allow_channel_compaction
            and bool(request.flag & frames.FLAG_CHANNEL_COMPACTION)
        )
        """Pushes carry the channel's number instead of its name."""

    def impose(self, tags: TagsFilter | None) -> None:
        """Let nothing else through, in addition to what the client filters. Before the broker is asked."""
        if tags is not None:
            self.imposed, self.tags = tags, both(tags, self.tags)
            # What a subscriber does not get cannot be the base of what it gets.
            self.features = replace(self.features, delta=False)

    def broker_request(self) -> contract.SubscribeRequest:
        """What the broker is asked."""
        request = self.request
        since = None
        if request is not None and request.recover and self.features.recoverable:
            since = contract.StreamPosition(request.epoch, request.offset)
        return contract.SubscribeRequest(
            channel=self.channel,
            subscription=self.attempt,
            info=self.info,
            presence=self.namespace.presence,
            join_leave=self.namespace.join_leave,
            positioned=self.features.positioned,
            since=since,
            recovery_limit=self.namespace.recovery_max_publications,
            cache_mode=self.namespace.force_recovery_mode == "cache",
        )

    def result(
        self, reply: contract.SubscribeReply, lookup: Lookup, now_wall: float, *, binary: bool
    ) -> frames.SubscribeResult:
        """The message for the client, whose encoding is `binary` or text."""
        request = self.request
        result = frames.SubscribeResult(data=frames.raw(self.server_data))
        if self.features.positioned:
            result.positioned = True
            result.recoverable = self.features.recoverable
            result.epoch = reply.position.epoch
            result.offset = reply.position.offset
        # Also where there is no recovery, any more: the client has missed something, and loads its state again.
        result.was_recovering = request is not None and request.recover
        if request is not None and request.recover and self.features.recoverable:
            # What does not fit into one answer is as good as lost: the client loads its state again.
            result.recovered = reply.recovered and len(fitting(reply.publications)) == len(reply.publications)
            if result.recovered:
                result.publications = self._recovered(reply, lookup.patches, binary=binary)
            if result.publications:
                # The client's own position: processing the publications brings it to the top.
                result.offset = request.offset
        if self.compact:
            result.id = lookup.number(self.channel)
        if self.expires_at is not None and self.refreshes:
            result.expires = True
            result.ttl = ttl(self.expires_at, now_wall)
        result.delta = self.features.delta
        result.publish_debounce = self.namespace.publish_debounce_ms
        return result

    def _recovered(self, reply: contract.SubscribeReply, patches: Patches, *, binary: bool) -> list[frames.Publication]:
        if self.features.delta:
            return recovered_messages(self.channel, reply.publications, patches, self.is_meant, binary=binary)
        return [publication_message(each) for each in reply.publications if self.is_meant(each)]

    def is_meant(self, publication: contract.Publication) -> bool:
        """Whether this subscriber gets it: it is not excluded, and its filter matches."""
        if is_excluded(publication, self.info.client, self.info.user):
            return False
        return self.tags is None or self.tags.matches(publication.tags)

    def read_to_the_top(self, reply: contract.SubscribeReply, result: frames.SubscribeResult) -> bool:
        """Whether the answer brings the newest publication, from which the next patch starts."""
        return bool(result.publications and reply.publications) and self.is_meant(reply.publications[-1])

    @property
    def rejects_unrecovered(self) -> bool:
        """The client asked for error 112 instead of an unrecovered result.

        Not where nothing is ever recovered: SDKs answer 112 with another position to recover from, without end.
        """
        if self.request is None or not self.features.recoverable:
            return False
        return bool(self.request.flag & frames.FLAG_REJECT_UNRECOVERED)


def ttl(expires_at: float, now_wall: float) -> int:
    """Whole seconds until then, at least one: zero would mean none."""
    return min(max(int(expires_at - now_wall), 1), TTL_MAX_S)
