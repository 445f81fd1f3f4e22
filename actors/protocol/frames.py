"""The messages of the Centrifugal client protocol v2 as types: commands up, replies and pushes down.

One set of types for every encoding: `json_codec` writes them as JSON, a Protobuf codec can stand beside it. Fields with
their default are left out, except those that SDKs expect always (they have no default here). `Raw` is a value that is
embedded as it is, never decoded: raw JSON in JSON, opaque bytes in Protobuf. Unknown fields are ignored.
"""

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

EMPTY: Final = Raw()
"""No value. Only this object counts as empty; `raw()` returns it for empty bytes."""

UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
UInt63 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""An unsigned 64-bit field of the protocol. Offsets never come near the bit that is missing."""
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Sint64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra={"zigzag": True})]
"""A `sint64` of the protocol: in Protobuf, small numbers of either sign are short."""
ShortText = Annotated[str, Meta(max_length=64)]

TYPE_STREAM: Final = 0
TYPE_MAP: Final = 1
TYPE_MAP_CLIENTS: Final = 2
TYPE_MAP_USERS: Final = 3
TYPE_SHARED_POLL: Final = 4
"""SubscribeRequest.type: what the client wants of the channel."""

PHASE_LIVE: Final = 0
PHASE_STREAM: Final = 1
PHASE_STATE: Final = 2
"""SubscribeRequest.phase of a map: its pages, then changes since the first page, then live."""

SUB_REFRESH_TOKEN: Final = 0
SUB_REFRESH_TRACK: Final = 1
SUB_REFRESH_UNTRACK: Final = 2
"""SubRefreshRequest.type: a new token, or keys of a shared poll."""

FLAG_CHANNEL_COMPACTION: Final = 1
"""SubscribeRequest.flag: the client understands pushes that carry a number instead of the channel."""
FLAG_REJECT_UNRECOVERED: Final = 2
"""SubscribeRequest.flag: answer error 112 rather than a result that is not recovered."""


def raw(data: bytes) -> Raw:
    """`data` for a Raw field."""
    return Raw(data) if data else EMPTY


class Message(Struct, omit_defaults=True):
    """Base of all messages: fields with their default are left out."""


# Shared


class StreamPosition(Message):
    """Where a reader of a channel is."""

    offset: UInt63 = 0
    epoch: str = ""


class ClientInfo(Message):
    """Who is behind a connection. `user` and `client` are always there."""

    user: str
    client: str
    conn_info: Raw = EMPTY
    chan_info: Raw = EMPTY


class Publication(Message):
    """One message of a channel."""

    data: Raw = EMPTY
    info: ClientInfo | None = None
    offset: UInt63 = 0
    tags: dict[str, str] = {}
    delta: bool = False
    time: Int64 = 0
    channel: str = ""
    key: str = ""
    removed: bool = False
    score: Sint64 = 0
    epoch: str = ""
    version: UInt63 = 0


# Commands, client to server


class SubscribeRequest(Message):
    """Subscribe to a channel; also recovery of a server-side subscription inside ConnectRequest."""

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: UInt63 = 0
    data: Raw = EMPTY
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: Raw = EMPTY
    flag: Int64 = 0
    type: Int64 = 0
    phase: Int64 = 0
    cursor: str = ""
    limit: Int64 = 0
    asc: bool = False


class ConnectRequest(Message):
    """Must be the first command."""

    token: str = ""
    data: Raw = EMPTY
    subs: dict[str, SubscribeRequest] = {}
    name: ShortText = ""
    version: ShortText = ""
    headers: dict[str, str] = {}
    flag: Int64 = 0


class UnsubscribeRequest(Message):
    """Give a subscription up."""

    channel: str = ""


class PublishRequest(Message):
    """Publish into a channel."""

    channel: str = ""
    data: Raw = EMPTY
    type: Int64 = 0
    key: str = ""
    removed: bool = False


class PresenceRequest(Message):
    """Who is in a channel?"""

    channel: str = ""


class PresenceStatsRequest(Message):
    """How many are in a channel?"""

    channel: str = ""


class HistoryRequest(Message):
    """Read a channel's stream. `limit` 0 asks for the position only, -1 for all up to the server's bound."""

    channel: str = ""
    limit: Int64 = 0
    since: StreamPosition | None = None
    reverse: bool = False


class PingRequest(Message):
    """Defined by the protocol; servers answer 108."""


class SendRequest(Message):
    """A message to the application that expects no reply."""

    data: Raw = EMPTY


class RPCRequest(Message):
    """Call a method of the application."""

    data: Raw = EMPTY
    method: str = ""


class RefreshRequest(Message):
    """A new connection token."""

    token: str = ""


class KeyedItem(Message):
    """A key and the version that the client has of it; 0 for none."""

    key: str = ""
    version: UInt63 = 0


class TrackBatch(Message):
    """Keys that one signature allows, in the order in which they were signed."""

    signature: str = ""
    items: list[KeyedItem] = []


class SubRefreshRequest(Message):
    """A new subscription token; or keys to track and to forget in a shared poll."""

    channel: str = ""
    token: str = ""
    type: Int64 = 0
    track: list[TrackBatch] = []
    untrack: list[str] = []


class Command(Message):
    """One command. Not a union: the first body that is set, in this order, counts."""

    id: UInt32 = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    publish: PublishRequest | None = None
    presence: PresenceRequest | None = None
    presence_stats: PresenceStatsRequest | None = None
    history: HistoryRequest | None = None
    ping: PingRequest | None = None
    send: SendRequest | None = None
    rpc: RPCRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


# Replies, server to client


class Error(Message):
    """Why a command failed. SDKs read `message` without asking whether it is there."""

    code: UInt32
    message: str
    temporary: bool = False


class SubscribeResult(Message):
    """`publications` only when recovered; `id` when pushes will carry a number instead of the channel."""

    expires: bool = False
    ttl: UInt32 = 0
    recoverable: bool = False
    epoch: str = ""
    publications: list[Publication] = []
    recovered: bool = False
    offset: UInt63 = 0
    positioned: bool = False
    data: Raw = EMPTY
    was_recovering: bool = False
    delta: bool = False
    id: Int64 = 0
    type: Int64 = 0
    phase: Int64 = 0
    cursor: str = ""
    state: list[Publication] = []
    publish_debounce: UInt32 = 0


class ConnectResult(Message):
    """`session` and `node` only for emulation transports. `time` is not sent: no SDK reads it."""

    client: str
    version: str
    expires: bool = False
    ttl: UInt32 = 0
    data: Raw = EMPTY
    subs: dict[str, SubscribeResult] = {}
    ping: UInt32 = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: Int64 = 0


class UnsubscribeResult(Message):
    """Done."""


class PublishResult(Message):
    """Acknowledged."""


class PresenceResult(Message):
    """Connections by client id."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Message):
    """Counts."""

    num_clients: UInt32
    num_users: UInt32


class HistoryResult(Message):
    """Publications and the stream's top."""

    publications: list[Publication]
    epoch: str
    offset: UInt63


class PingResult(Message):
    """Never sent; part of the protocol."""


class RPCResult(Message):
    """The application's answer."""

    data: Raw = EMPTY


class RefreshResult(Message):
    """The connection lives on."""

    expires: bool = False
    ttl: UInt32 = 0


class SubRefreshResult(Message):
    """The subscription lives on; `items` are values of tracked keys that are newer than the client's."""

    expires: bool = False
    ttl: UInt32 = 0
    items: list[Publication] = []


# Pushes, server to client


class Join(Message):
    """A connection joined the channel."""

    info: ClientInfo


class Leave(Message):
    """A connection left the channel."""

    info: ClientInfo


class Unsubscribe(Message):
    """The server ended a subscription. SDKs read `reason` without asking whether it is there."""

    code: UInt32
    reason: str


class Subscribe(Message):
    """The server added a subscription."""

    recoverable: bool = False
    epoch: str = ""
    offset: UInt63 = 0
    positioned: bool = False
    data: Raw = EMPTY


class PushedMessage(Message):
    """A message outside any channel."""

    data: Raw = EMPTY


class Disconnect(Message):
    """Ends an emulated connection; a WebSocket says it in its close frame."""

    code: UInt32
    reason: str


class Refresh(Message):
    """The server prolonged the connection."""

    expires: bool = False
    ttl: UInt32 = 0


class Push(Message):
    """Something that the client did not ask for. Carries `id` instead of `channel` where compaction was agreed."""

    id: Int64 = 0
    channel: str = ""
    pub: Publication | None = None
    join: Join | None = None
    leave: Leave | None = None
    unsubscribe: Unsubscribe | None = None
    message: PushedMessage | None = None
    subscribe: Subscribe | None = None
    disconnect: Disconnect | None = None
    refresh: Refresh | None = None


class Reply(Message):
    """Answers the command with the same id; or, without an id, a push; or, empty, the server's ping."""

    id: UInt32 = 0
    error: Error | None = None
    push: Push | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: UnsubscribeResult | None = None
    publish: PublishResult | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    ping: PingResult | None = None
    rpc: RPCResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None
