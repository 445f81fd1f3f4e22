"""What clients ask of broker shards: operations, up. Typed arrays in msgpack."""

import msgspec

from actors.brokers.contract import ClientInfo
from actors.brokers.poll_wire import PollClaim, PollReport
from actors.brokers.wire import Subscriber


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
    """The durable roster says that `boot`, a life of a process on it, is over, and that these connections of it were
    in the channel.

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
