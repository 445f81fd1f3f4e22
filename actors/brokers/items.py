"""What broker shards answer and tell clients: items, down. Typed arrays in msgpack."""

import msgspec

from actors.brokers.contract import ClientInfo
from actors.brokers.poll_wire import PollChanged, PollTurn
from actors.brokers.wire import Pub, encode


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
