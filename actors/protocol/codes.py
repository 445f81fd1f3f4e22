"""Every code that the protocol knows: errors in replies, disconnects, unsubscribes. One registry.

SDKs act on the numbers, so they are fixed by the protocol: ranges, not flags, say whether a client comes back.
Applications add their own in the ranges left to them: errors 400-1999, disconnects 4000-4999, unsubscribes 2100-2499
(final) and 2600-2999 (the client subscribes again). docs/codes.md is generated from here.
"""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error in a reply. `temporary` asks the client to try again by itself."""

    code: int
    text: str
    meaning: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class DisconnectCode:
    """A WebSocket close code with its reason (at most 123 bytes)."""

    code: int
    reason: str
    meaning: str

    @property
    def reconnect(self) -> bool:
        """Whether SDKs connect again by themselves."""
        return not (3500 <= self.code <= 3999 or 4500 <= self.code <= 4999)


@dataclass(frozen=True, slots=True)
class UnsubscribeCode:
    """Why the server took a subscription away."""

    code: int
    reason: str
    meaning: str

    @property
    def resubscribe(self) -> bool:
        """Whether SDKs subscribe again by themselves."""
        return self.code >= 2500


ERROR_INTERNAL: Final = ErrorCode(
    100, "internal server error", "Not acknowledged: try again; a publication may have been delivered.", temporary=True
)
ERROR_UNAUTHORIZED: Final = ErrorCode(
    101,
    "unauthorized",
    "Not sent: without good credentials `connect` ends with 109, 3500 or 3501, and nothing precedes it.",
)
ERROR_UNKNOWN_CHANNEL: Final = ErrorCode(102, "unknown channel", "The channel's namespace is not declared.")
ERROR_PERMISSION_DENIED: Final = ErrorCode(103, "permission denied", "The namespace's rules do not allow this.")
ERROR_METHOD_NOT_FOUND: Final = ErrorCode(104, "method not found", "No handler is registered for this rpc method.")
ERROR_ALREADY_SUBSCRIBED: Final = ErrorCode(105, "already subscribed", "This connection already holds the channel.")
ERROR_LIMIT_EXCEEDED: Final = ErrorCode(106, "limit exceeded", "Too many channels on one connection.")
ERROR_BAD_REQUEST: Final = ErrorCode(107, "bad request", "The command is understood and its content is not valid.")
ERROR_NOT_AVAILABLE: Final = ErrorCode(108, "not available", "The channel or server does not offer this.")
ERROR_TOKEN_EXPIRED: Final = ErrorCode(109, "token expired", "Fetch a new token and try again.")
ERROR_EXPIRED: Final = ErrorCode(110, "expired", "The credentials given by a handler have expired.")
ERROR_TOO_MANY_REQUESTS: Final = ErrorCode(
    111, "too many requests", "A buffer or a rate limit is full: try again later.", temporary=True
)
ERROR_UNRECOVERABLE_POSITION: Final = ErrorCode(
    112, "unrecoverable position", "The stream no longer reaches back to the position asked for."
)
ERROR_CONCURRENT_PAGINATION: Final = ErrorCode(
    113, "concurrent pagination", "Another page of the same channel is being read.", temporary=True
)

DISCONNECT_CONNECTION_CLOSED: Final = DisconnectCode(3000, "connection closed", "The client went away.")
DISCONNECT_SHUTDOWN: Final = DisconnectCode(3001, "shutdown", "The server process ends: connect elsewhere.")
DISCONNECT_SERVER_ERROR: Final = DisconnectCode(3004, "internal server error", "The server failed; try again.")
DISCONNECT_EXPIRED: Final = DisconnectCode(3005, "connection expired", "The connection's token was not refreshed.")
DISCONNECT_SUBSCRIPTION_EXPIRED: Final = DisconnectCode(
    3006, "subscription expired", "A subscription's token was not refreshed."
)
DISCONNECT_SLOW: Final = DisconnectCode(3008, "slow", "The client read too slowly and its queue is full.")
DISCONNECT_WRITE_ERROR: Final = DisconnectCode(
    3009, "write error", "Writing failed. Operators see it as the cause; the client, which is gone, cannot be told."
)
DISCONNECT_INSUFFICIENT_STATE: Final = DisconnectCode(
    3010, "insufficient state", "A gap in a server-side subscription: reconnect and recover."
)
DISCONNECT_FORCE_RECONNECT: Final = DisconnectCode(3011, "force reconnect", "An operator asked for a reconnect.")
DISCONNECT_NO_PONG: Final = DisconnectCode(3012, "no pong", "The client did not answer a ping in time.")
DISCONNECT_TOO_MANY_REQUESTS: Final = DisconnectCode(3013, "too many requests", "Too many commands; come back later.")
DISCONNECT_STATE_INVALIDATED: Final = DisconnectCode(
    3014,
    "state invalidated",
    "Forget token and cached state, then reconnect. For 2502 on a server-side subscription, or by the server API.",
)
DISCONNECT_INVALID_TOKEN: Final = DisconnectCode(3500, "invalid token", "A token that was not issued for this use.")
DISCONNECT_BAD_REQUEST: Final = DisconnectCode(3501, "bad request", "The client does not speak the protocol.")
DISCONNECT_STALE: Final = DisconnectCode(3502, "stale", "The connection did not authenticate in time.")
DISCONNECT_FORCE: Final = DisconnectCode(3503, "force disconnect", "The session was revoked or ended by the server.")
DISCONNECT_CONNECTION_LIMIT: Final = DisconnectCode(3504, "connection limit", "Too many connections.")
DISCONNECT_CHANNEL_LIMIT: Final = DisconnectCode(
    3505, "channel limit", "A token or the server wants more channels for a connection than it may have."
)
DISCONNECT_INAPPROPRIATE_PROTOCOL: Final = DisconnectCode(
    3506, "inappropriate protocol", "Binary data for a client that speaks JSON. Not sent: all payloads here are JSON."
)
DISCONNECT_PERMISSION_DENIED: Final = DisconnectCode(3507, "permission denied", "A handler refused the connection.")
DISCONNECT_NOT_AVAILABLE: Final = DisconnectCode(3508, "not available", "The server does not offer this.")
DISCONNECT_TOO_MANY_ERRORS: Final = DisconnectCode(3509, "too many errors", "The client keeps making errors.")

UNSUBSCRIBE_SERVER: Final = UnsubscribeCode(2000, "server unsubscribe", "The server ended the subscription.")
UNSUBSCRIBE_INSUFFICIENT: Final = UnsubscribeCode(
    2500, "insufficient state", "A gap in the channel: subscribe again and recover."
)
UNSUBSCRIBE_EXPIRED: Final = UnsubscribeCode(2501, "expired", "The subscription's token was not refreshed.")
UNSUBSCRIBE_STATE_INVALIDATED: Final = UnsubscribeCode(
    2502, "state invalidated", "Forget token and position, then subscribe again. Sent where the server API orders it."
)


ERRORS: Final = {code.code: code for code in tuple(globals().values()) if isinstance(code, ErrorCode)}
DISCONNECTS: Final = {code.code: code for code in tuple(globals().values()) if isinstance(code, DisconnectCode)}
UNSUBSCRIBES: Final = {code.code: code for code in tuple(globals().values()) if isinstance(code, UnsubscribeCode)}


def error(code: int, text: str = "") -> ErrorCode:
    """The registered error, or an application's own with this code and text."""
    return ERRORS.get(code) or ErrorCode(code, text or "application error", "Defined by the application.")


def disconnect(code: int, reason: str = "") -> DisconnectCode:
    """The registered disconnect, with this reason instead of its own if there is one, or an application's own."""
    found = DISCONNECTS.get(code)
    if found is None:
        return DisconnectCode(code, reason or "disconnected", "Defined by the application.")
    return found if reason in ("", found.reason) else replace(found, reason=reason)


def unsubscribe(code: int, reason: str = "") -> UnsubscribeCode:
    """The registered unsubscribe, with this reason instead of its own if there is one, or an application's own."""
    found = UNSUBSCRIBES.get(code)
    if found is None:
        return UnsubscribeCode(code, reason or "unsubscribed", "Defined by the application.")
    return found if reason in ("", found.reason) else replace(found, reason=reason)


def is_reserved_unsubscribe(code: int) -> bool:
    """Whether the protocol keeps this code for itself: applications' own are the others from 2000 to 2999."""
    return code < 2100 or 2500 <= code < 2600
