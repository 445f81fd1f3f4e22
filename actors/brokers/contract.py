"""What a broker promises to the processes that use it.

A *client* (`BrokerClient`) is one process's view of all broker shards: a hub's in a realtime replica, or a plain
publisher's in an api replica or a task. Everything that concerns a channel comes back on one ordered stream per
(client boot id, shard incarnation), so results and publications cannot race (DESIGN §5, 1).

Callbacks run synchronously while the stream is processed: they must not block and must not raise. The awaitable
methods are for callers that need no ordering against publications (REST, tasks).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where a reader of a channel is. `offset` counts from 1; 0 with an epoch means "before the first"."""

    epoch: str
    offset: int


class ClientInfo(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who is behind a connection, here and on the wire. `conn_info` and `chan_info` are raw JSON, or empty."""

    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of a channel. `data` is raw JSON text in UTF-8 without newlines (or opaque bytes for Protobuf).

    `offset` is 0 where the namespace keeps no history. `time_ms` is Unix time in milliseconds.
    """

    data: bytes
    offset: int = 0
    epoch: str = ""
    info: ClientInfo | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    time_ms: int = 0
    key: str = ""
    removed: bool = False
    delta: bool = False
    """The publisher allows this publication to be sent as a delta against its predecessor."""
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    score: int = 0
    version: int = 0
    before: bytes = b""
    """What a change of a map's key replaces, where clients may get it as a delta; else empty."""


@dataclass(frozen=True, slots=True)
class MapStep:
    """One step of subscribing to a map, by the protocol's phases: 2 reads keys, 1 reads changes, 0 goes live.

    `since`: where the first page was read, or up to where the reader has the stream. `start` is what the last page of
    changes said.
    """

    phase: int
    limit: int
    cursor: str = ""
    since: StreamPosition | None = None
    start: int = 0
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class MapPage:
    """What a step brought. Phase 0: the subscription stands, and `changes` reach up to the reply's position.

    Otherwise the next step goes on with this phase (1 after the last page of keys, with `since`), cursor and `start`.
    """

    phase: int
    since: StreamPosition
    cursor: str = ""
    start: int = 0
    state: Sequence[Publication] = ()
    changes: Sequence[Publication] = ()


@dataclass(frozen=True, slots=True)
class MapChange:
    """A publication that sets or removes a key of a map.

    `mode`: `if_new`, `if_exists` or ''. `expected`: the position of the key's newest change, with offset 0 for a key
    that is not there.
    """

    key: str
    removed: bool = False
    score: int = 0
    mode: str = ""
    expected: StreamPosition | None = None
    ttl_s: int = 0
    """The key is removed when it is not set again for so long; 0: as the map's `key_ttl` says."""


@dataclass(frozen=True, slots=True)
class MapPublished:
    """What came of a change. `suppressed`: '' or why its condition did not hold (`key_exists`, `key_not_found`,
    `version`, `position_mismatch`); then nothing changed.
    """

    position: StreamPosition
    suppressed: str = ""


@dataclass(frozen=True, slots=True)
class MapKeys:
    """Keys of a map, how many there are in all, and where the next page begins ('' when there is none)."""

    position: StreamPosition
    total: int
    entries: Sequence[Publication] = ()
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One publication to make.

    `publication_id` is minted by the first process that sees the publication and makes re-sending safe on durable
    channels. `idempotency_key` is the caller's: the same key on the same channel within five minutes answers the first
    result. `version`/`version_epoch` drop a publication that is not newer than the last one (conditional publish).
    """

    channel: str
    data: bytes
    publication_id: str
    info: ClientInfo | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str = ""
    delta: bool = False
    skip_history: bool = False
    version: int = 0
    version_epoch: str = ""
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    change: MapChange | None = None
    """On a map, what it does to a key; `version` is the key's then."""


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """One connection wants a channel. `since` asks for recovery. `subscription`: unique per attempt in its process."""

    channel: str
    subscription: int
    info: ClientInfo
    presence: bool = False
    join_leave: bool = False
    positioned: bool = False
    since: StreamPosition | None = None
    recovery_limit: int = 300
    cache_mode: bool = False
    map: MapStep | None = None
    """The channel is a map: this step of the way to a live subscription. `since` is not looked at."""


@dataclass(frozen=True, slots=True)
class SubscribeReply:
    """The channel's answer. `position` is the top of the stream in the turn that registered the subscriber.

    `publications` (oldest first) are those after `since`, complete up to `position`, and only present when `recovered`.
    """

    channel: str
    subscription: int
    position: StreamPosition
    recovered: bool = False
    publications: Sequence[Publication] = ()
    page: MapPage | None = None
    """What a step of a map brought."""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """`limit` 0: only the position; -1: all, up to the server's bound. `since` is exclusive."""

    channel: str
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class HistoryReply:
    """Publications and the stream's current top."""

    position: StreamPosition
    publications: Sequence[Publication] = ()


@dataclass(frozen=True, slots=True)
class PollTurn:
    """What a process is to ask the backend of a shared poll for (key → version known), and values that it lacks."""

    ask: Mapping[str, int]
    values: Sequence[Publication] = ()


@dataclass(frozen=True, slots=True)
class PresenceStats:
    """Distinct connections and distinct users in a channel."""

    clients: int
    users: int


class BrokerError(Exception):
    """A broker refused or could not answer. `code` is a protocol error code (`actors.protocol.codes`).

    100 means *not acknowledged*: the publication may or may not have been delivered. 111: the caller's buffer to the
    shard is full. 112: position unrecoverable. 108: the namespace does not offer this.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class ChannelSink(Protocol):
    """Receives, in order and synchronously, what happens in channels that this process subscribed to."""

    def on_publications(self, channel: str, publications: Sequence[Publication]) -> None:
        """New publications, offsets contiguous with the last ones that this process saw of this channel."""

    def on_join(self, channel: str, info: ClientInfo) -> None:
        """A connection joined (never the echo of a lower process's own bookkeeping)."""

    def on_leave(self, channel: str, info: ClientInfo) -> None:
        """A connection left."""

    def on_difference(self, channel: str, joined: Sequence[ClientInfo], left: Sequence[ClientInfo]) -> None:
        """Who joined and who left over some time, net: of a large channel, or after a restart of its shard."""

    def on_polled(self, channel: str, values: Sequence[Publication]) -> None:
        """Newer values of a shared poll's keys, and removals, that another process found."""

    def on_insufficient(self, channel: str) -> None:
        """The stream broke (epoch change, or a gap beyond repair): send 2500 to its subscribers, spread."""

    def on_unsubscribed(self, channel: str, client: str, code: int, reason: str) -> None:
        """The server took this subscription away. `client` empty: all of this process."""


SubscribeCallback = Callable[[SubscribeReply | BrokerError], None]


class BrokerClient(Protocol):
    """One process's access to all channels."""

    def subscribe(self, request: SubscribeRequest, on_result: SubscribeCallback) -> None:
        """Ask; `on_result` is called from the stream, before any publication after its position. Never raises."""

    def unsubscribe(self, channel: str, subscription: int, info: ClientInfo, *, last: bool) -> None:
        """Give a subscription up. `last`: no other connection of this process holds the channel."""

    async def publish(self, request: PublishRequest) -> StreamPosition:
        """Publish. Returning means acknowledged: on a durable channel, committed. Raises BrokerError."""

    async def map_publish(self, request: PublishRequest) -> MapPublished:
        """Set or remove a key of a map. Raises BrokerError 106 for a limit, 107 where the channel is no map."""

    async def map_read(
        self, channel: str, *, limit: int, cursor: str = "", key: str = "", asc: bool = False
    ) -> MapKeys:
        """A page of keys, or one key, or with `limit` 0 only how many there are."""

    async def map_clear(self, channel: str) -> None:
        """Forget all keys and the stream of a map."""

    async def poll_claim(self, channel: str, keys: Mapping[str, int]) -> PollTurn:
        """These keys of a shared poll are tracked here (→ version known): what is to be asked for? Raises
        BrokerError.
        """

    def poll_report(
        self, channel: str, asked: Collection[str], values: Sequence[Publication], *, end: bool, failed: bool = False
    ) -> None:
        """The backend was asked for these keys, and answered these values. `end`: of the round. Never raises."""

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """Read the stream. Raises BrokerError 112 when `since.epoch` is another one."""

    async def history_remove(self, channel: str) -> None:
        """Forget the publications, keep epoch and offset."""

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Connections in the channel by client id, `presence_limit` of them at most. Raises BrokerError 100 while the
        shard does not know yet who is there.
        """

    async def presence_stats(self, channel: str) -> PresenceStats:
        """Counts only."""

    def departed(self, boot: str, who: Mapping[str, Sequence[ClientInfo]]) -> None:
        """The durable roster has seen these leave with process `boot`: channel → connections. Never raises."""

    async def channels(self, pattern: str = "") -> Mapping[str, int]:
        """Channels with subscribers → number of connections, over all shards. `pattern` is a glob."""
