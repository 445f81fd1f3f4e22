"""What a connection's state machine asks its hub to do. Executed in order."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from actors.brokers import contract
from actors.protocol import frames
from actors.protocol.codes import DisconnectCode
from actors.protocol.namespace_groups import SharedPollOptions
from actors.protocol.tags_filter import TagsFilter
from serve_app.realtime.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Send:
    """Write one encoded message."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a ping of the transport's own; answer with `Connection.ponged`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the transport with this code."""

    code: DisconnectCode


@dataclass(frozen=True, slots=True)
class Register:
    """Register the session; answer with `Connection.registered`."""

    issued_at_ms: int


@dataclass(frozen=True, slots=True)
class RegisterGrant:
    """Register a subscription that a token of its own opens; answer with `Connection.grant_checked`."""

    channel: str
    attempt: int
    token_id: str
    issued_at_ms: int


@dataclass(frozen=True, slots=True)
class ReleaseGrant:
    """The subscription that was registered so did not come about."""

    channel: str


@dataclass(frozen=True, slots=True)
class Established:
    """The connect reply is written: whatever was held back may follow."""


@dataclass(frozen=True, slots=True)
class FetchKeys:
    """Await `fetch`, which never raises; answer with `Connection.keys_fetched`."""

    fetch: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AskConnect:
    """Run the connect handler; answer with `Connection.connect_answered`."""

    credentials: Credentials | None
    """What the token says; None when there was none."""
    request: frames.ConnectRequest


@dataclass(frozen=True, slots=True)
class AskPermission:
    """Run a permission callback; answer with `Connection.permission_answered`."""

    callback: str
    channel: str
    attempt: int
    operation: str = "subscribe"
    data: bytes = b""
    """What is published, or what came with the subscribe command; raw JSON."""
    about: str = ""
    """The channel that the callback decides about, where that is not the one that was asked for: its presence was."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask the broker; answer with `Connection.subscribe_answered`."""

    request: contract.SubscribeRequest


@dataclass(frozen=True, slots=True)
class Attach:
    """The subscription is live: deliver publications from here on."""

    channel: str
    attempt: int
    recovered: contract.SubscribeReply | None = None
    """The answer whose publications brought the client up to date; None when none were needed or to be had."""


@dataclass(frozen=True, slots=True)
class Detach:
    """Stop delivering; `tell_broker` unless the broker itself ended the subscription."""

    channel: str
    attempt: int
    info: contract.ClientInfo
    tell_broker: bool = True


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish; answer with `Connection.call_answered`."""

    command: int
    channel: str
    data: bytes
    delta: bool
    change: contract.MapChange | None = None
    """What it does to a key of a map."""


@dataclass(frozen=True, slots=True)
class History:
    """Read history; answer with `Connection.call_answered`."""

    command: int
    request: contract.HistoryRequest
    tags: TagsFilter | None = None
    """The caller's subscription may see nothing else."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Read presence; answer with `Connection.call_answered`."""

    command: int
    channel: str


@dataclass(frozen=True, slots=True)
class PresenceStats:
    """Read presence counts; answer with `Connection.call_answered`."""

    command: int
    channel: str


@dataclass(frozen=True, slots=True)
class Rpc:
    """Call an application's method; answer with `Connection.call_answered`."""

    command: int
    method: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a message without reply to the application."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """Follow keys of a shared poll; answer with `Connection.tracked`."""

    command: int
    channel: str
    options: SharedPollOptions
    items: Mapping[str, int]
    """Key → the version that the client has of it; 0: none."""
    ends: Mapping[str, float]
    """Key → Unix time after which it is tracked no more; those that are missing stay."""
    untrack: Sequence[str] = ()
    """Keys that are given up right after."""
    expires_at: float | None = None
    """When the first of the signatures expires."""


@dataclass(frozen=True, slots=True)
class Untrack:
    """Follow these keys of a shared poll no more."""

    channel: str
    keys: Sequence[str]


Action = (
    Send
    | Ping
    | Close
    | Register
    | RegisterGrant
    | ReleaseGrant
    | Established
    | FetchKeys
    | AskConnect
    | AskPermission
    | Subscribe
    | Attach
    | Detach
    | Publish
    | History
    | Presence
    | PresenceStats
    | Rpc
    | Deliver
    | Track
    | Untrack
)
