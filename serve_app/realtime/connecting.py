"""The part of a connection that lets a client in, and keeps it in with fresh tokens."""

from actors.brokers import contract
from actors.protocol import codes, frames
from actors.protocol.channels import InvalidChannel
from actors.protocol.codec import ProtocolError
from actors.protocol.namespaces import UnknownNamespace
from serve_app.realtime.actions import Action, AskConnect, Established, Register
from serve_app.realtime.core import NEVER, ConnectionState
from serve_app.realtime.credentials import Credentials, CredentialsExpired, CredentialsInvalid
from serve_app.realtime.server_side import NoStream, ServerSide
from serve_app.realtime.subscription import ttl
from serve_app.realtime.verdicts import Admission


class Connecting(ServerSide):
    """Connect and refresh."""

    __slots__ = ()

    def _connect(self, command: int, body: frames.ConnectRequest, now: float, actions: list[Action]) -> None:
        try:
            credentials = self._credentials(body.token)
        except CredentialsExpired:
            self._refuse(command, codes.ERROR_TOKEN_EXPIRED, actions)
            return
        except CredentialsInvalid:
            self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
            return
        if credentials is None and not self._env.asks_on_connect:
            raise ProtocolError("credentials not found")
        self.name, self.version = body.name, body.version
        self._refreshes = bool(body.token)
        self._claimed = frozenset(credentials.subs) if credentials is not None else frozenset()
        self._connect_command = command
        self.state = ConnectionState.CONNECTING
        self._state_due = now + self._env.limits.connecting_s
        if self._env.asks_on_connect:
            self._connect_request = body
            actions.append(AskConnect(credentials, body))
        elif credentials is not None:
            self._admit(credentials, body, now, actions)

    def connect_answered(self, answer: Admission | codes.ErrorCode | codes.DisconnectCode, now: float) -> list[Action]:
        """The connect handler's answer: who it is, an error for the reply, or the code to end with."""
        actions: list[Action] = []
        request, self._connect_request = self._connect_request, None
        if self.state is not ConnectionState.CONNECTING or request is None:
            return actions
        match answer:
            case codes.ErrorCode():
                self._refuse(self._connect_command, answer, actions)
            case codes.DisconnectCode():
                self._close(answer, actions)
            case _:
                self._connect_data = answer.data
                self._admit(answer.credentials, request, now, actions)
        return actions

    def _admit(self, credentials: Credentials, body: frames.ConnectRequest, now: float, actions: list[Action]) -> None:
        command = self._connect_command
        if credentials.expires_at is not None and credentials.expires_at <= self._env.wall():
            self._refuse(command, codes.ERROR_TOKEN_EXPIRED if self._refreshes else codes.ERROR_EXPIRED, actions)
            return
        self.user, self.session = credentials.user, credentials.session
        self.info = contract.ClientInfo(credentials.user, self.client, credentials.info)
        self.meta, self.token_id, self.capabilities = credentials.meta, credentials.token_id, credentials.capabilities
        self._issued_at = credentials.issued_at
        self._expires_at = None if self._env.insecure else credentials.expires_at
        try:
            self._plan_server_side(credentials, body)
        except (UnknownNamespace, InvalidChannel):
            self._refuse(command, codes.ERROR_UNKNOWN_CHANNEL, actions)
            return
        except NoStream:
            self._refuse(command, codes.ERROR_BAD_REQUEST, actions)
            return
        except ProtocolError as reason:
            self._close(reason.disconnect, actions)
            return
        actions.append(Register(int(credentials.issued_at * 1000)))
        if not (self.user or self.session or self.token_id):
            # Nothing can have revoked it. It is registered to be found, and need not wait for that.
            actions += self.registered(True, now)

    def _credentials(self, token: str) -> Credentials | None:
        if token:
            return self._env.verifier.connection(token)
        return Credentials(user="") if self._env.insecure or self._env.anonymous else None

    def registered(self, accepted: bool, now: float) -> list[Action]:
        """The session shard's answer. Who need not wait for it has asked for its subscriptions before."""
        actions: list[Action] = []
        if not accepted and not self.is_closed():
            self._close(codes.DISCONNECT_FORCE, actions)
        if self.state is not ConnectionState.CONNECTING or self._results is not None:
            return actions
        self._results = {}
        for sub in self.subscriptions.values():
            self._ask_broker(sub, actions)
        self._finish_connect(now, actions)
        return actions

    def _finish_connect(self, now: float, actions: list[Action]) -> None:
        if self._results is None or len(self._results) < len(self.subscriptions):
            return
        limits = self._env.limits
        self.state = ConnectionState.CONNECTED
        self._state_due = NEVER
        self._ping_due = now + limits.ping_s * (0.5 + 0.5 * self._env.jitter())
        self._set_expiry_due(now)
        result = frames.ConnectResult(self.client, self._env.version, subs=self._results)
        if not self._native_ping:
            result.ping, result.pong = limits.ping_s, True
        if self.address is not None:
            result.session, result.node = self.address
        if self._connect_data:
            result.data, self._connect_data = frames.raw(self._connect_data), b""
        if self._expires_at is not None and self._refreshes:
            result.expires = True
            result.ttl = ttl(self._expires_at, self._env.wall())
        self._reply(frames.Reply(id=self._connect_command, connect=result), actions)
        actions.append(Established())
        held, self._held, self._results = self._held, None, None
        for sub in list(self.subscriptions.values()):
            self._end_as_ordered(sub, actions)
        self._resume(held, now, actions)

    # Refresh

    def _on_refresh(self, command: int, body: frames.RefreshRequest, now: float, actions: list[Action]) -> None:
        if not self._refreshes:
            raise ProtocolError("this connection was not opened with a token: there is nothing to refresh")
        if not body.token:
            raise ProtocolError("refresh without a token")
        try:
            credentials = self._env.verifier.connection(body.token)
        except CredentialsExpired:
            self._close(codes.DISCONNECT_EXPIRED, actions)
            return
        except CredentialsInvalid:
            self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
            return
        if credentials.user != self.user:
            self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
            return
        if credentials.expires_at is not None and credentials.expires_at <= self._env.wall():
            self._close(codes.DISCONNECT_EXPIRED, actions)
            return
        try:
            added = self._added_by(credentials)
        except (UnknownNamespace, InvalidChannel):
            self._error(command, codes.ERROR_UNKNOWN_CHANNEL, actions)
            return
        except NoStream:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        # A new token is a new statement about the same user: what it allows counts from now on.
        self.session = credentials.session
        self.meta, self.token_id, self.capabilities = credentials.meta, credentials.token_id, credentials.capabilities
        self._issued_at = credentials.issued_at
        self._expires_at = None if self._env.insecure else credentials.expires_at
        self._set_expiry_due(now)
        result = frames.RefreshResult()
        if self._expires_at is not None:
            result.expires = True
            result.ttl = ttl(self._expires_at, self._env.wall())
        self._reply(frames.Reply(id=command, refresh=result), actions)
        # Whether the new token is revoked is known where connections are registered.
        actions.append(Register(int(credentials.issued_at * 1000)))
        if not self._env.asks_on_connect:
            # What a connect handler has said of its connection is not the token's to change.
            self._introduce(credentials.info)
        self._follow_claims(credentials, added, actions)
