"""What tokens grant, as the connection's state machine sees it. Who verifies them is injected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class CredentialsInvalid(Exception):
    """Not a token for this use: the connection ends with 3500."""


class CredentialsExpired(Exception):
    """A good token, too late: error 109."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who connects. Times are Unix seconds."""

    user: str
    session: str = ""
    info: bytes = b""
    subs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Server-side subscriptions: channel → options (`info`, `data`)."""
    expires_at: float | None = None
    """When the connection must have been refreshed; None: it lives as long as its session is not revoked."""
    issued_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SubscriptionGrant:
    """A subscription token's content. `client` empty: any connection of the user."""

    user: str
    channel: str
    client: str = ""
    info: bytes = b""
    expires_at: float | None = None


class Verifier(Protocol):
    """Checks tokens. Both raise CredentialsInvalid or CredentialsExpired."""

    def connection(self, token: str) -> Credentials:
        """Verify a connection token."""

    def subscription(self, token: str) -> SubscriptionGrant:
        """Verify a subscription token."""
