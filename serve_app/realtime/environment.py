"""What all connections of a process share: rules, limits, verifier, clock."""

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from actors.protocol.namespaces import Namespaces
from cluster.settings import Settings
from serve_app.realtime.credentials import Verifier
from serve_app.realtime.rate_limits import Limiter, UserBuckets
from serve_app.realtime.session_ids import SessionIds


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, in seconds and counts. Each answers with a code of its own."""

    stale_after_s: float = 10.0
    """No `connect` by then: 3502."""
    connecting_s: float = 5.0
    """`connect` not answered by the shards by then: 3004, and the client comes back."""
    ping_s: int = 25
    pong_s: float = 8.0
    """No pong this long after a ping: 3012."""
    expired_grace_s: float = 25.0
    """Time for a refresh after the end of a token's life."""
    channels: int = 128
    """More subscriptions than this: error 106."""
    commands_in_flight: int = 512
    """Commands that wait for an answer; more: error 111."""
    errors_per_minute: int = 300
    """Errors that the client makes, and not the server; more: 3509."""
    last_frames: int = 4
    """Kept of each connection for operators; 0: none."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """The configured bounds."""
        return cls(
            stale_after_s=settings.realtime_stale_seconds,
            ping_s=settings.realtime_ping_seconds,
            pong_s=settings.realtime_pong_seconds,
            channels=settings.realtime_max_channels,
            errors_per_minute=settings.realtime_max_errors_per_minute,
            last_frames=settings.realtime_last_frames,
        )


@dataclass(slots=True)
class Environment:
    """Shared by every connection; a reload gives it other namespaces to `use`."""

    namespaces: Namespaces
    verifier: Verifier
    version: str
    wall: Callable[[], float]
    """Unix time in seconds."""
    jitter: Callable[[], float]
    """A random number in [0, 1)."""
    limits: Limits = field(default_factory=Limits)
    insecure: bool = False
    """Development only: connect and do anything without a token."""
    anonymous: bool = False
    """Connecting without a token is allowed, with the empty user."""
    asks_on_connect: bool = False
    """An application's handler decides who is let in."""
    rpc_methods: Collection[str] = ()
    handles_messages: bool = False
    polls: Collection[str] = ()
    """Callbacks of shared polls that an application offers."""
    track_secret: bytes = b""
    """Signs the keys that a user may track in a shared poll; empty: nobody may."""
    session_ids: SessionIds = field(default_factory=SessionIds)
    mistakes: Callable[[], Sequence[str]] = tuple
    """Why the newest file of namespaces is not in force; nothing when it is."""
    attempts: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Numbers of subscription attempts, unique in the process."""
    user_buckets: UserBuckets = field(default_factory=UserBuckets)
    limiter: Limiter | None = field(init=False, default=None)
    """None where nobody is held to a rate."""

    def __post_init__(self) -> None:
        self.use(self.namespaces)

    def use(self, namespaces: Namespaces) -> None:
        """Take other rules from now on."""
        self.namespaces = namespaces
        self.limiter = Limiter(namespaces) if namespaces.has_rates else None
