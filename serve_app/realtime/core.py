"""What every part of a connection's state machine works on: its state, its replies, its end."""

from enum import Enum
from typing import Final, NamedTuple

from actors.brokers import contract
from actors.protocol import codes, frames
from actors.protocol.channels import ChannelName, InvalidChannel
from actors.protocol.codec import Codec
from actors.protocol.namespaces import Namespace, UnknownNamespace
from serve_app.realtime.actions import Action, Close, Detach, Send, Subscribe
from serve_app.realtime.environment import Environment
from serve_app.realtime.subscription import Lookup, Subscription, SubscriptionState

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


class ConnectionCore:
    """State shared by the parts of `serve_app.realtime.connection.Connection`."""

    __slots__ = (
        "_codec", "_commands", "_connect_command", "_env", "_errors", "_errors_since", "_expires_at", "_expires_due",
        "_held", "_issued_at", "_lookup", "_native_ping", "_ping_due", "_pong_due", "_results", "_state_due",
        "address", "client", "info",
        "name", "session", "state", "subscriptions", "user", "version",
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
        self.subscriptions: dict[str, Subscription] = {}
        self._commands = 0
        self._connect_command = 0
        self._errors = 0
        self._errors_since = 0.0
        self._held: list[frames.Command] | None = None
        self._results: dict[str, frames.SubscribeResult] | None = None
        self._issued_at = 0.0
        self._expires_at: float | None = None
        self._expires_due = NEVER
        self._ping_due = NEVER
        self._pong_due = NEVER
        self._state_due = now + env.limits.stale_after_s

    @property
    def due(self) -> float:
        """When `tick` wants to be called next."""
        return min(self._state_due, self._ping_due, self._pong_due, self._expires_due)

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
        ends = [sub.expires_at for sub in self.subscriptions.values() if sub.expires_at is not None]
        if self._expires_at is not None:
            ends.append(self._expires_at)
        grace = self._env.limits.expired_grace_s
        self._expires_due = now + max(min(ends) - self._env.wall() + grace, 0.0) if ends else NEVER

    def _resolve(self, command: int, channel: str, actions: list[Action]) -> tuple[Namespace, ChannelName] | None:
        try:
            return self._env.namespaces.resolve(channel)
        except UnknownNamespace:
            self._error(command, codes.ERROR_UNKNOWN_CHANNEL, actions)
        except InvalidChannel:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        return None

    def _ask_broker(self, sub: Subscription, actions: list[Action]) -> None:
        sub.state = SubscriptionState.JOINING
        actions.append(Subscribe(sub.broker_request()))

    def _resume(self, held: list[frames.Command] | None, now: float, actions: list[Action]) -> None:
        """Handle commands that were held back."""
        raise NotImplementedError

    def _finish_connect(self, now: float, actions: list[Action]) -> None:
        """Answer `connect` once nothing is missing."""
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
        self._held = self._results = None


def _is_known(sub: Subscription) -> bool:
    """Whether the broker was told of it."""
    return sub.state is not SubscriptionState.DECIDING
