"""What clients and broker shards say to each other: operations up, items down. Typed arrays in msgpack.

A publication is encoded once, by the shard that gave it its offset; rings, streams of hubs and answers share the bytes.
"""

from typing import Any

import msgspec

from actors.brokers.contract import ClientInfo, Publication

encode = msgspec.msgpack.Encoder().encode


class Info(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`ClientInfo` on the wire."""

    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""


class Pub(msgspec.Struct, array_like=True, frozen=True):
    """`Publication` on the wire."""

    data: bytes
    offset: int = 0
    epoch: str = ""
    time_ms: int = 0
    info: Info | None = None
    tags: dict[str, str] | None = None
    delta: bool = False
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()


class Subscriber(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One subscription of one connection."""

    subscription: int
    info: Info
    presence: bool
    join_leave: bool


# Up -------------------------------------------------------------------------------------------------------------------


class Publish(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """`resent`: it may have reached an earlier incarnation, so a memory channel must not take it (rule 4)."""

    request: int
    channel: str
    data: bytes
    publication_id: str
    info: Info | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    skip_history: bool = False
    version: int = 0
    version_epoch: str = ""
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    resent: bool = False


class Subscribe(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A new subscription. `recover`: with the publications after (epoch, offset)."""

    channel: str
    subscriber: Subscriber
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    limit: int = 0
    cache_mode: bool = False


class Unsubscribe(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """A subscription is given up."""

    channel: str
    subscription: int


class Resume(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """What this process holds of a channel after a reset, and up to where it has seen it. Answered by `Resumed`."""

    channel: str
    epoch: str
    offset: int
    subscribers: list[Subscriber]


class Synced(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Every channel has been resumed: what the last session held beyond that is gone."""


class Repair(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """The stream had a gap mark: tell me what I missed of this channel. Answered by `Resumed`."""

    channel: str
    epoch: str
    offset: int


class History(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Read a stream. `since` false: from its end that `reverse` names."""

    request: int
    channel: str
    limit: int
    since: bool
    epoch: str
    offset: int
    reverse: bool


class HistoryRemove(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Forget the publications of a stream."""

    request: int
    channel: str


class Presence(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Who is in a channel. `full` false: only counts."""

    request: int
    channel: str
    full: bool


class Channels(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """Channels of this shard with subscribers."""

    request: int
    pattern: str


Operation = Publish | Subscribe | Unsubscribe | Resume | Synced | Repair | History | HistoryRemove | Presence | Channels


# Down -----------------------------------------------------------------------------------------------------------------


class Published(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A publication of a channel. The shard builds it from parts: see `published_prefix`."""

    channel: str
    pub: Pub


class Joined(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A connection joined."""

    channel: str
    info: Info


class Left(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """A connection left."""

    channel: str
    info: Info


class Subscribed(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """A subscription stands from (epoch, offset) on."""

    channel: str
    subscription: int
    epoch: str
    offset: int
    recovered: bool
    pubs: list[Pub]


class SubscribeFailed(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """A subscription was refused."""

    channel: str
    subscription: int
    code: int
    message: str


class Acknowledged(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Publications that are made, `(request, offset, epoch)`: on durable channels, committed."""

    results: list[tuple[int, int, str]]


class Failed(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Requests that were not answered otherwise."""

    requests: list[int]
    code: int
    message: str


class Gap(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Publications of this channel were dropped here because the reader was slow."""

    channel: str


class Resumed(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """What was missed, complete up to (epoch, offset); `ok` false: it cannot be had any more."""

    channel: str
    epoch: str
    offset: int
    ok: bool
    pubs: list[Pub]


class HistoryRead(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """Answer to `History`, and to `HistoryRemove` without publications."""

    request: int
    epoch: str
    offset: int
    pubs: list[Pub]


class PresenceRead(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """Answer to `Presence`: connections, or only how many and of how many users."""

    request: int
    clients: int
    users: int
    infos: list[Info]


class ChannelsRead(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """Answer to `Channels`."""

    request: int
    channels: dict[str, int]


class EpochChanged(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """The channel's stream begins anew: positions of the old epoch mean nothing."""

    channel: str
    epoch: str
    offset: int


class TakenAway(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """The server ended subscriptions of this process."""

    channel: str
    client: str
    code: int
    reason: str


Item = (
    Published
    | Joined
    | Left
    | Subscribed
    | SubscribeFailed
    | Acknowledged
    | Failed
    | Gap
    | Resumed
    | HistoryRead
    | PresenceRead
    | ChannelsRead
    | EpochChanged
    | TakenAway
)


def published_prefix(channel: str) -> bytes:
    """Bytes of a `Published` up to its publication: an array of three, the tag, the channel."""
    return b"\x93\x01" + encode(channel)


def raw(pubs: list[bytes]) -> list[Any]:
    """Encoded publications as elements of an item that is yet to be encoded."""
    return [msgspec.Raw(pub) for pub in pubs]


def info_of(info: ClientInfo) -> Info:
    """`ClientInfo` for the wire."""
    return Info(info.user, info.client, info.conn_info, info.chan_info)


def to_wire(info: ClientInfo | None) -> Info | None:
    """`info_of`, where there may be none."""
    return None if info is None else info_of(info)


def from_wire(info: Info) -> ClientInfo:
    """`ClientInfo` from the wire."""
    return ClientInfo(info.user, info.client, info.conn_info, info.chan_info)


def publication(pub: Pub) -> Publication:
    """`Publication` from the wire."""
    return Publication(
        data=pub.data,
        offset=pub.offset,
        epoch=pub.epoch,
        info=None if pub.info is None else from_wire(pub.info),
        tags=pub.tags or {},
        time_ms=pub.time_ms,
        delta=pub.delta,
        exclude_clients=pub.exclude_clients,
        exclude_users=pub.exclude_users,
    )
