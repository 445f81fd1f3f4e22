"""What every part of a connection's state machine works on: its state, its replies, its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from actors.brokers import contract
from actors.protocol import codes, frames
from actors.protocol.channels import ChannelName, InvalidChannel
from actors.protocol.codec import Codec
from actors.protocol.namespaces import Namespace, UnknownNamespace
from serve_app.realtime import capabilities
from serve_app.realtime.actions import Action, Close, Detach, Send, Subscribe
from serve_app.realtime.capabilities import Capabilities
from serve_app.realtime.environment import Environment
from serve_app.realtime.rate_limits import Buckets
from serve_app.realtime.subscription import Lookup, Subscription, SubscriptionState
from serve_app.realtime.verdicts import Granted

NEVER: Final = float("inf")

ERROR_WINDOW_S: Final = 60.0
"""Errors are counted over this time."""


class Address(NamedTuple):
    """Where the client of an emulated connection posts its commands. `session` is a secret between it and us."""

    session: str
    node: str


class ConnectionState(Enum):
    """A connection's life."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"
    """`connect` was answered with an error: any further command ends the connection."""
    CLOSED = "closed"


@dataclass(slots=True)
class AskedOperation:
    """A publish, history or presence command that a callback decides about."""

    attempt: int
    command: int
    proceed: Callable[[list[Action], bytes], None]
    """Appends what follows when it is allowed; with the payload that the callback wants instead, if any."""
    held: list[frames.Command] = field(default_factory=list)
    """Commands for the same channel that arrived meanwhile: they keep their order."""


class ConnectionCore:
    """State shared by the parts of `serve_app.realtime.connection.Connection`."""

    __slots__ = (
        "_asked", "_buckets", "_claimed", "_codec", "_commands", "_connect_command", "_connect_data",
        "_connect_request", "_env", "_errors", "_errors_since", "_expires_at", "_expires_due", "_fetched_for",
        "_held", "_issued_at", "_lookup", "_native_ping", "_pages_due", "_ping_due", "_pong_due", "_refreshes",
        "_results", "_state_due", "_verifying", "address", "capabilities", "client", "info", "meta", "name",
        "session", "state", "subscriptions", "token_id", "user", "version",
    )  # fmt: skip

    def __init__(
        self,
        client: str,
        codec: Codec,
        env: Environment,
        now: float,
        lookup: Lookup,
        *,
        address: Address | None = None,
        native_ping: bool = False,
    ) -> None:
        self.client = client
        self.address = address
        self._native_ping = native_ping
        self._codec = codec
        self._env = env
        self._lookup = lookup
        self.state = ConnectionState.NEW
        self.user = ""
        self.session = ""
        self.name = ""
        self.version = ""
        self.info = contract.ClientInfo("", client)
        self.meta = b""
        self.token_id = ""
        self.capabilities: Capabilities = ()
        self.subscriptions: dict[str, Subscription] = {}
        self._commands = 0
        self._connect_command = 0
        self._errors = 0
        self._errors_since = 0.0
        self._buckets: Buckets | None = None
        self._connect_data = b""
        self._connect_request: frames.ConnectRequest | None = None
        self._held: list[frames.Command] | None = None
        self._verifying: frames.Command | None = None
        """The command whose token waits for the issuer's keys: everything after it waits too."""
        self._fetched_for: frames.Command | None = None
        """The command for which they were fetched."""
        self._asked: dict[str, AskedOperation] | None = None
        """Channel → the operation that a permission callback decides about now."""
        self._results: dict[str, frames.SubscribeResult] | None = None
        self._issued_at = 0.0
        self._claimed: frozenset[str] = frozenset()
        """Channels that the token names, to be compared with those of the next one."""
        self._expires_at: float | None = None
        self._refreshes = False
        """The client got in with a token and sends a new one in time."""
        self._expires_due = NEVER
        self._pages_due = NEVER
        """When the first of the maps that the client reads must be read, or earlier."""
        self._ping_due = NEVER
        self._pong_due = NEVER
        self._state_due = now + env.limits.stale_after_s

    @property
    def due(self) -> float:
        """When `tick` wants to be called next."""
        return min(self._state_due, self._ping_due, self._pong_due, self._expires_due, self._pages_due)

    @property
    def expires_at(self) -> float | None:
        """Unix time after which the connection ends unless it is refreshed."""
        return self._expires_at

    @property
    def commands(self) -> int:
        """Commands that wait for an answer."""
        return self._commands

    def is_closed(self) -> bool:
        """Whether the connection has ended."""
        return self.state is ConnectionState.CLOSED

    def _set_expiry_due(self, now: float) -> None:
        grace, subs = self._env.limits.expired_grace_s, self.subscriptions.values()
        dues = [sub.expires_at + grace for sub in subs if sub.expires_at is not None]
        dues += [sub.again_at for sub in subs if sub.again_at is not None and sub.state is SubscriptionState.LIVE]
        if self._expires_at is not None:
            dues.append(self._expires_at + grace)
        self._expires_due = now + max(min(dues) - self._env.wall(), 0.0) if dues else NEVER

    def _resolve(self, command: int, channel: str, actions: list[Action]) -> tuple[Namespace, ChannelName] | None:
        try:
            return self._env.namespaces.resolve(channel)
        except UnknownNamespace:
            self._error(command, codes.ERROR_UNKNOWN_CHANNEL, actions)
        except InvalidChannel:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        return None

    def _granted(self, channel: str) -> frozenset[str]:
        """Capabilities in the channel: the connection's, and those of the subscription."""
        sub = self.subscriptions.get(channel)
        own = capabilities.allowed(self.capabilities, channel) if self.capabilities else capabilities.NOTHING
        return own | sub.allow if sub is not None and sub.allow else own

    def _ask_broker(self, sub: Subscription, actions: list[Action]) -> None:
        sub.state = SubscriptionState.JOINING
        actions.append(Subscribe(sub.broker_request()))

    def _resume(self, held: list[frames.Command] | None, now: float, actions: list[Action]) -> None:
        """Handle commands that were held back."""
        raise NotImplementedError

    def _finish_connect(self, now: float, actions: list[Action]) -> None:
        """Answer `connect` once nothing is missing."""
        raise NotImplementedError

    def _operation_answered(
        self,
        channel: str,
        asked: AskedOperation,
        verdict: bool | Granted | codes.ErrorCode,
        now: float,
        actions: list[Action],
    ) -> None:
        """A callback has decided about a publish, history or presence command."""
        raise NotImplementedError

    def _server_side_live(
        self, sub: Subscription, result: frames.SubscribeResult, now: float, actions: list[Action]
    ) -> None:
        """A subscription that the server chose is answered."""
        raise NotImplementedError

    def _end_as_ordered(self, sub: Subscription, actions: list[Action]) -> None:
        """End a subscription that was told to end before it was answered."""
        raise NotImplementedError

    # Ends

    def _reply(self, reply: frames.Reply, actions: list[Action]) -> None:
        actions.append(Send(self._codec.encode(reply)))

    def _push(self, push: frames.Push, actions: list[Action]) -> None:
        self._reply(frames.Reply(push=push), actions)

    def _error(self, command: int, error: codes.ErrorCode, actions: list[Action]) -> None:
        self._reply(frames.Reply(id=command, error=frames.Error(error.code, error.text, error.temporary)), actions)
        if not error.temporary and error is not codes.ERROR_TOKEN_EXPIRED:
            self._count_error(actions)

    def _count_error(self, actions: list[Action]) -> None:
        """A client that does nothing but fail costs as much as one that works: it is sent away."""
        now = self._env.wall()
        if now - self._errors_since >= ERROR_WINDOW_S:
            self._errors, self._errors_since = 0, now
        self._errors += 1
        if self._errors > self._env.limits.errors_per_minute:
            self._close(codes.DISCONNECT_TOO_MANY_ERRORS, actions)

    def _refuse(self, command: int, error: codes.ErrorCode, actions: list[Action]) -> None:
        """Answer `connect` with an error: the connection is of no use any more, and the client closes it."""
        self._error(command, error, actions)
        if not self.is_closed():
            self._forget(actions)
            self.state = ConnectionState.REFUSED

    def _close(self, code: codes.DisconnectCode, actions: list[Action]) -> None:
        self._forget(actions)
        actions.append(Close(code))

    def _forget(self, actions: list[Action]) -> None:
        actions += [Detach(sub.channel, sub.attempt, sub.info) for sub in self.subscriptions.values() if _is_known(sub)]
        self.subscriptions = {}
        self.state = ConnectionState.CLOSED
        self._held = self._results = self._verifying = self._asked = None


def _is_known(sub: Subscription) -> bool:
    """Whether the broker was told of it."""
    return sub.state in (SubscriptionState.JOINING, SubscriptionState.LIVE)
