"""What tokens grant, as the connection's state machine sees it. Who verifies them is injected."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from actors.protocol.overrides import Overrides
from actors.protocol.tags_filter import TagsFilter
from serve_app.realtime.capabilities import NOTHING, Capabilities


class CredentialsInvalid(Exception):
    """Not a token for this use: the connection ends with 3500."""


class CredentialsExpired(Exception):
    """A good token, too late: error 109."""


class CredentialsUnverifiable(Exception):
    """The issuer's keys cannot be had now, so nobody knows: error 100, and the client tries again."""


class KeysMissing(Exception):
    """The issuer's keys must be fetched first. Await `fetch`, which never raises, then verify again."""

    def __init__(self, fetch: Callable[[], Awaitable[None]]) -> None:
        super().__init__("the issuer's keys are not here")
        self.fetch = fetch


@dataclass(frozen=True, slots=True)
class ClaimedSubscription:
    """A subscription that the server makes for the client. `info` and `data` are raw JSON."""

    info: bytes = b""
    data: bytes = b""
    overrides: Overrides = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who connects. Times are Unix seconds; `info` and `meta` are raw JSON."""

    user: str
    session: str = ""
    """The login session with which the connection ends; empty for tokens of other issuers."""
    info: bytes = b""
    subs: Mapping[str, ClaimedSubscription] = field(default_factory=dict)
    expires_at: float | None = None
    """When the connection must have been refreshed; None: it lives as long as its session is not revoked."""
    issued_at: float = 0.0
    """0: the token does not say, so any revocation of the user's tokens covers it."""
    token_id: str = ""
    """By which a single token is revoked."""
    capabilities: Capabilities = ()
    meta: bytes = b""
    """For handlers; the client never sees it."""


@dataclass(frozen=True, slots=True)
class SubscriptionGrant:
    """A subscription token's content. `client` empty: any connection of the user."""

    user: str
    channel: str
    client: str = ""
    info: bytes = b""
    expires_at: float | None = None
    overrides: Overrides = ()
    allow: frozenset[str] = NOTHING
    """Capabilities in this channel."""
    tags: TagsFilter | None = None
    """The subscriber gets nothing else, whatever it asks for."""
    issued_at: float = 0.0
    token_id: str = ""


class Verifier(Protocol):
    """Checks tokens. Both raise CredentialsInvalid, CredentialsExpired, CredentialsUnverifiable or KeysMissing."""

    def connection(self, token: str) -> Credentials:
        """Verify a connection token."""

    def subscription(self, token: str) -> SubscriptionGrant:
        """Verify a subscription token."""
