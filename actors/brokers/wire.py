"""What clients and broker shards say to each other: operations up, items down. Typed arrays in msgpack.

A publication is encoded once, by the shard that gave it its offset; rings, streams of hubs and answers share the bytes.
"""

from typing import Any

import msgspec

from actors.brokers.contract import ClientInfo, Publication
from actors.brokers.poll_wire import PollChanged, PollClaim, PollReport, PollTurn

encode = msgspec.msgpack.Encoder().encode


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What makes a publication the change of a key. `before`: the value it replaces, where clients may get deltas."""

    key: str
    removed: bool = False
    score: int = 0
    version: int = 0
    before: bytes = b""


class Pub(msgspec.Struct, array_like=True, frozen=True):
    """`Publication` on the wire."""

    data: bytes
    offset: int = 0
    epoch: str = ""
    time_ms: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    entry: Entry | None = None


class Subscriber(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One subscription of one connection."""

    subscription: int
    info: ClientInfo
    presence: bool
    join_leave: bool


# Up -------------------------------------------------------------------------------------------------------------------


class KeyChange(msgspec.Struct, array_like=True, frozen=True):
    """A publication into a map. `mode`: `if_new`, `if_exists` or ''. `expected`: (epoch, offset) of the key's newest
    change, offset 0 for none. The publication's `version` is the key's, not the channel's. `ttl_s` 0: the map's.
    """

    key: str
    removed: bool = False
    score: int = 0
    mode: str = ""
    expected: tuple[str, int] | None = None
    ttl_s: int = 0


class Publish(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """`resent`: it may have reached an earlier incarnation, so a memory channel must not take it (rule 4)."""

    request: int
    channel: str
    data: bytes
    publication_id: str
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str = ""
    delta: bool = False
    skip_history: bool = False
    version: int = 0
    version_epoch: str = ""
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    resent: bool = False
    change: KeyChange | None = None


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


class Compare(msgspec.Struct, array_like=True, frozen=True, tag=20):
    """What this process has seen, `(channel, epoch, offset)`. Answered by `Behind` where that is not all there is."""

    positions: list[tuple[str, str, int]]


class MapSubscribe(msgspec.Struct, array_like=True, frozen=True, tag=40):
    """A step of a subscription to a map: a page of its keys (`phase` 2), of its changes (1), or live (0).

    Answered by `MapPage`, which may go live earlier than asked. `epoch` and `offset`: where the first page was read, or
    up to where the client has the stream. `start`: top of the stream when its pages began, 0 for the first one.
    """

    channel: str
    subscriber: Subscriber
    phase: int
    limit: int
    cursor: str = ""
    epoch: str = ""
    offset: int = 0
    start: int = 0
    ascending: bool = False


class MapRead(msgspec.Struct, array_like=True, frozen=True, tag=41):
    """Read keys without subscribing: all from the cursor on, or one. `limit` 0: only how many there are."""

    request: int
    channel: str
    limit: int = 0
    cursor: str = ""
    key: str = ""
    ascending: bool = False


class MapClear(msgspec.Struct, array_like=True, frozen=True, tag=42):
    """Forget all keys and the stream; a new epoch begins."""

    request: int
    channel: str


class Departed(msgspec.Struct, array_like=True, frozen=True, tag=30):
    """The durable roster says that process `boot` is gone, and that these connections of it were in the channel.

    Answered by `Noted`; comes again until it is.
    """

    channel: str
    boot: str
    infos: list[ClientInfo]
    request: int = 0


Operation = (
    Compare
    | Publish
    | Subscribe
    | Unsubscribe
    | Resume
    | Synced
    | Repair
    | History
    | HistoryRemove
    | Presence
    | Channels
    | MapSubscribe
    | MapRead
    | MapClear
    | Departed
    | PollClaim
    | PollReport
)


# Down -----------------------------------------------------------------------------------------------------------------


class Published(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A publication of a channel. The shard builds it from parts: see `published_prefix`."""

    channel: str
    pub: Pub


class Joined(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A connection joined."""

    channel: str
    info: ClientInfo


class Left(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """A connection left."""

    channel: str
    info: ClientInfo


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
    infos: list[ClientInfo]


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


class Behind(msgspec.Struct, array_like=True, frozen=True, tag=20):
    """`(channel, epoch, offset, registered)` of channels whose stream is elsewhere, or that do not know the process."""

    channels: list[tuple[str, str, int, bool]]


class Noted(msgspec.Struct, array_like=True, frozen=True, tag=51):
    """A notice was taken."""

    request: int


class Moved(msgspec.Struct, array_like=True, frozen=True, tag=50):
    """The last that this stream says of these buckets: another shard owns them now."""

    buckets: list[int]
    shard: int


class MapPage(msgspec.Struct, array_like=True, frozen=True, tag=40):
    """Answer to `MapSubscribe`. `live`: the subscription stands, and `top` is the stream's top in that turn.

    `offset`: from where the next step goes on. `state` are keys, `pubs` changes.
    """

    channel: str
    subscription: int
    phase: int
    epoch: str
    offset: int
    top: int
    cursor: str
    state: list[Pub]
    pubs: list[Pub]
    start: int = 0

    @property
    def live(self) -> bool:
        """Whether the subscription stands."""
        return self.phase == 0


class MapAnswer(msgspec.Struct, array_like=True, frozen=True, tag=41):
    """Answer to `MapRead` and `MapClear`."""

    request: int
    epoch: str
    offset: int
    keys: int
    cursor: str = ""
    state: list[Pub] = []


class Suppressed(msgspec.Struct, array_like=True, frozen=True, tag=42):
    """A conditional change of a key that was not made, and why."""

    request: int
    epoch: str
    offset: int
    reason: str


class Difference(msgspec.Struct, array_like=True, frozen=True, tag=30):
    """Who joined and who left over some time, net; in a large channel perhaps a sample."""

    channel: str
    joined: list[ClientInfo]
    left: list[ClientInfo]


Item = (
    Behind
    | Published
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
    | MapPage
    | MapAnswer
    | Suppressed
    | Difference
    | Moved
    | PollTurn
    | PollChanged
    | Noted
)


def published_prefix(channel: str) -> bytes:
    """Bytes of a `Published` up to its publication: an array of three, the tag, the channel."""
    return b"\x93\x01" + encode(channel)


def raw(pubs: list[bytes]) -> list[Any]:
    """Encoded publications as elements of an item that is yet to be encoded."""
    return [msgspec.Raw(pub) for pub in pubs]


def publication(pub: Pub) -> Publication:
    """`Publication` from the wire."""
    entry = pub.entry
    return Publication(
        data=pub.data,
        offset=pub.offset,
        epoch=pub.epoch,
        info=pub.info,
        tags=pub.tags or {},
        time_ms=pub.time_ms,
        delta=pub.delta,
        exclude_clients=pub.exclude_clients,
        exclude_users=pub.exclude_users,
        key="" if entry is None else entry.key,
        removed=entry is not None and entry.removed,
        score=0 if entry is None else entry.score,
        version=0 if entry is None else entry.version,
        before=b"" if entry is None else entry.before,
    )
