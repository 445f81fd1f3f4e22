"""The state machine of one connection: frames and answers in, actions out. No socket, no Ray, no clock of its own.

Every method returns the actions that its hub carries out in order. `now` is monotonic seconds. Commands of a frame are
handled in order; a command for a channel whose subscription is still being decided waits for that decision, so replies
may overtake each other between channels and never within one.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog

from actors.protocol import codes, frames
from actors.protocol.channels import InvalidChannel
from actors.protocol.codec import ProtocolError
from actors.protocol.json_codec import single_line
from actors.protocol.namespaces import UnknownNamespace
from serve_app.realtime.actions import Action, Deliver, FetchKeys, Ping, Send
from serve_app.realtime.calls import CallError, Calling, CallResult
from serve_app.realtime.connecting import Connecting
from serve_app.realtime.core import NEVER, ConnectionState
from serve_app.realtime.credentials import CredentialsUnverifiable, KeysMissing
from serve_app.realtime.subscription import SubscriptionState

__all__ = ["CallError", "CallResult", "Connection", "ConnectionState"]

logger = structlog.get_logger(__name__)


class Connection(Connecting, Calling):
    """One client's connection."""

    __slots__ = ()

    # What the transport reports

    def receive(self, frame: bytes, now: float) -> list[Action]:
        """Handle one frame."""
        if self.is_closed():
            return []
        actions: list[Action] = []
        try:
            for command in self._codec.decode(frame):
                self._dispatch(command, now, actions)
                if self.is_closed():
                    break
        except ProtocolError as reason:
            self._close(reason.disconnect, actions)
        return actions

    def transport_closed(self) -> list[Action]:
        """The socket is gone: give every subscription up."""
        actions: list[Action] = []
        self._forget(actions)
        return actions

    def close(self, code: codes.DisconnectCode) -> list[Action]:
        """End the connection from outside."""
        actions: list[Action] = []
        if not self.is_closed():
            self._close(code, actions)
        return actions

    # Time

    def tick(self, now: float) -> list[Action]:
        """Do what is due. A connection in which that fails is closed: nobody would look at it again in time."""
        actions: list[Action] = []
        try:
            if not self.is_closed():
                self._do_what_is_due(now, actions)
        except Exception:
            logger.exception("tick_failed", client=self.client)
            if not self.is_closed():
                self._close(codes.DISCONNECT_SERVER_ERROR, actions)
        return actions

    def _do_what_is_due(self, now: float, actions: list[Action]) -> None:
        if now >= self._state_due:
            stale = self.state is not ConnectionState.CONNECTING
            self._close(codes.DISCONNECT_STALE if stale else codes.DISCONNECT_SERVER_ERROR, actions)
        elif now >= self._pong_due:
            self._close(codes.DISCONNECT_NO_PONG, actions)
        elif now >= min(self._expires_due, self._pages_due) and self._expire(now, actions):
            pass
        elif now >= self._ping_due:
            self._ping_due = now + self._env.limits.ping_s
            self._pong_due = now + self._env.limits.pong_s
            actions.append(Ping() if self._native_ping else Send(self._codec.ping))

    def _expire(self, now: float, actions: list[Action]) -> bool:
        """End what was not refreshed, or read, in time. Returns whether that was the connection."""
        if now >= self._pages_due and self._close_if_late(now, actions):
            return True
        limit = self._env.wall() - self._env.limits.expired_grace_s
        if self._expires_at is not None and self._expires_at <= limit:
            self._close(codes.DISCONNECT_EXPIRED, actions)
            return True
        for sub in list(self.subscriptions.values()):
            if sub.expires_at is not None and sub.expires_at <= limit and sub.state is SubscriptionState.LIVE:
                self._take_away(sub, codes.UNSUBSCRIBE_EXPIRED, actions)
                if self.is_closed():
                    # It was the server's. What else has expired has ended with the connection.
                    return True
        self._ask_again(actions)  # not about what has just ended
        self._set_expiry_due(now)
        return False

    # Dispatch

    def _dispatch(self, command: frames.Command, now: float, actions: list[Action]) -> None:
        kind, body = _body(command)
        if self._verifying is not None or (self.state is ConnectionState.CONNECTING and kind != "connect"):
            self._hold(command, actions)
        elif body is None:
            self._pong(command)
        elif kind == "connect":
            if self.state is not ConnectionState.NEW or command.id == 0:
                raise ProtocolError("connect must come once and with an id")
            if not self._is_json(body):
                raise ProtocolError("the data of connect is not JSON")
            self._with_keys(command, lambda: self._connect(command.id, body, now, actions), actions)
        elif self.state is not ConnectionState.CONNECTED:
            raise ProtocolError("connect must come first")
        elif kind == "send":
            if not self._env.handles_messages:
                raise ProtocolError("no handler for messages", codes.DISCONNECT_NOT_AVAILABLE)
            if self._env.limiter is not None and not self._within_rates(kind, body, now):
                raise ProtocolError("too many messages", codes.DISCONNECT_TOO_MANY_REQUESTS)
            if not self._is_json(body):
                raise ProtocolError("a message that is not JSON")
            if self._commands >= self._env.limits.commands_in_flight:
                # Nothing is answered, so nothing holds the client back: its handler cannot keep up.
                raise ProtocolError("too many messages being handled", codes.DISCONNECT_TOO_MANY_REQUESTS)
            self._commands += 1
            actions.append(Deliver(bytes(body.data)))
        elif command.id == 0:
            raise ProtocolError("command without id")
        else:
            self._handle(kind, command, body, now, actions)

    def message_handled(self) -> None:
        """The application is done with a message that was delivered (`Deliver`)."""
        self._commands -= 1

    def _hold(self, command: frames.Command, actions: list[Action]) -> None:
        if self._held is None:
            self._held = []
        if len(self._held) >= self._env.limits.commands_in_flight:
            self._close(codes.DISCONNECT_TOO_MANY_REQUESTS, actions)
            return
        self._held.append(command)

    def _handle(self, kind: str, command: frames.Command, body: Any, now: float, actions: list[Action]) -> None:
        if self._commands >= self._env.limits.commands_in_flight:
            self._error(command.id, codes.ERROR_TOO_MANY_REQUESTS, actions)
            return
        if kind in _CHANNEL_COMMANDS:
            if kind == "sub_refresh" and not body.channel:
                # One SDK leaves the channel out; it is unambiguous when the client has one subscription to refresh.
                subs = self.subscriptions.values()
                expiring = [sub.channel for sub in subs if sub.expires_at is not None and sub.refreshes]
                body.channel = expiring[0] if len(expiring) == 1 else ""
            if not body.channel:
                raise ProtocolError(f"{kind} without channel")
            sub = self.subscriptions.get(body.channel)
            if sub is not None and sub.state in _UNDECIDED and (kind != "subscribe" or sub.held):
                if sub.held is None:
                    sub.held = []
                sub.held.append(command)
                self._commands += 1
                return
            if self._asked is not None and body.channel in self._asked:
                self._asked[body.channel].held.append(command)
                self._commands += 1
                return
        if self._env.limiter is not None and not self._within_rates(kind, body, now):
            self._error(command.id, codes.ERROR_TOO_MANY_REQUESTS, actions)
            return
        if not self._is_json(body):
            self._error(command.id, codes.ERROR_BAD_REQUEST, actions)
            return
        handler: Callable[[int, Any, float, list[Action]], None] = getattr(self, f"_on_{kind}")
        if kind in _TOKEN_COMMANDS:
            self._with_keys(command, lambda: handler(command.id, body, now, actions), actions)
        else:
            handler(command.id, body, now, actions)

    def _is_json(self, body: Any) -> bool:
        """Whether the command's payload is JSON, which handlers and other clients read; as one line from here on.

        The JSON codec has seen to that; in Protobuf a payload is any bytes.
        """
        if not self._codec.is_binary or getattr(body, "data", frames.EMPTY) is frames.EMPTY:
            return True
        try:
            body.data = frames.raw(single_line(bytes(body.data)))
        except ValueError:
            return False
        return True

    def _within_rates(self, kind: str, body: Any, now: float) -> bool:
        limiter = self._env.limiter
        if limiter is None:
            return True
        if self._buckets is None:
            self._buckets = {}
        rules = None
        if limiter.asks_namespaces and kind in _CHANNEL_COMMANDS:
            try:
                rules = self._env.namespaces.for_channel(body.channel)
            except (UnknownNamespace, InvalidChannel):
                rules = None  # its handler says so
        if not limiter.counts_users or not self.user:
            return limiter.allows(kind, rules, self._buckets, None, now)
        users = self._env.user_buckets
        return limiter.allows(kind, rules, self._buckets, users.of(self.user, now), now, users.spending(self.user))

    def _with_keys(self, command: frames.Command, handle: Callable[[], None], actions: list[Action]) -> None:
        """Handle a command with a token, now or when the keys that it needs are here. Nothing changes before that."""
        try:
            handle()
        except KeysMissing as missing:
            if command is self._fetched_for:
                # Once is enough: a command must not go round for ever.
                self._unverifiable(command, actions)
            else:
                self._verifying = self._fetched_for = command
                actions.append(FetchKeys(missing.fetch))
        except CredentialsUnverifiable:
            self._unverifiable(command, actions)

    def _unverifiable(self, command: frames.Command, actions: list[Action]) -> None:
        if self.state is ConnectionState.NEW:
            self._refuse(command.id, codes.ERROR_INTERNAL, actions)
        else:
            self._error(command.id, codes.ERROR_INTERNAL, actions)

    def keys_fetched(self, now: float) -> list[Action]:
        """The issuer was asked for its keys, with or without success: handle what waited for them."""
        actions: list[Action] = []
        command, held = self._verifying, self._held
        if command is not None:
            self._verifying = self._held = None
            self._resume([command, *(held or ())], now, actions)
            if self._fetched_for is command:
                self._fetched_for = None
        return actions

    def _pong(self, command: frames.Command) -> None:
        # Requests of an emulated connection overtake each other and are repeated on the way: a pong too many is none.
        expected = self._pong_due != NEVER or self.address is not None
        if command.id or self.state is not ConnectionState.CONNECTED or not expected:
            raise ProtocolError("neither a command nor an expected pong")
        self._pong_due = NEVER

    def ponged(self) -> list[Action]:
        """The transport's own pong has arrived."""
        if self._native_ping:
            self._pong_due = NEVER
        return []

    def _resume(self, held: list[frames.Command] | None, now: float, actions: list[Action]) -> None:
        try:
            for command in held or ():
                if self.is_closed():
                    break
                self._dispatch(command, now, actions)
        except ProtocolError as reason:
            self._close(reason.disconnect, actions)

    # Pushes outside channels

    def message(self, data: bytes) -> list[Action]:
        """A message to this connection from the application."""
        actions: list[Action] = []
        if self.state is ConnectionState.CONNECTED:
            self._push(frames.Push(message=frames.PushedMessage(frames.raw(data))), actions)
        return actions


_CHANNEL_COMMANDS: Final = frozenset(
    {"subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "sub_refresh"}
)

_TOKEN_COMMANDS: Final = frozenset({"subscribe", "refresh", "sub_refresh"})
_UNDECIDED: Final = (SubscriptionState.DECIDING, SubscriptionState.JOINING)

_BODIES: Final = tuple(field for field in frames.Command.__struct_fields__ if field != "id")


def _body(command: frames.Command) -> tuple[str, Any]:
    for kind in _BODIES:
        body = getattr(command, kind)
        if body is not None:
            return kind, body
    return "", None
