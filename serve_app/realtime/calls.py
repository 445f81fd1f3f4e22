"""The part of a connection that publishes, reads and calls the application."""

from actors.brokers import contract
from actors.protocol import codes, frames
from actors.protocol.json_codec import single_line
from serve_app.realtime import permits
from serve_app.realtime.actions import Action, History, Presence, PresenceStats, Publish, Rpc
from serve_app.realtime.core import ConnectionCore
from serve_app.realtime.encoding import history_message, info_message
from serve_app.realtime.subscription import SubscriptionState


class CallError(Exception):
    """A call ended with an error code, which the client is told."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(f"{code} {message}")
        self.error = codes.error(code, message)


CallResult = (
    contract.StreamPosition | contract.HistoryReply | contract.PresenceStats | dict[str, contract.ClientInfo] | bytes
)
"""What an action with a command number is answered with."""


class Calling(ConnectionCore):
    """Commands that end in one call to a broker or to the application."""

    __slots__ = ()

    def _permitted(self, operation: permits.Operation, command: int, channel: str, actions: list[Action]) -> bool:
        resolved = self._resolve(command, channel, actions)
        if resolved is None:
            return False
        sub = self.subscriptions.get(channel)
        subscribed = sub is not None and sub.state is SubscriptionState.LIVE
        refusal = permits.operate(operation, resolved[0], self.user, subscribed=subscribed, insecure=self._env.insecure)
        if refusal is not None:
            self._error(command, refusal, actions)
        return refusal is None

    def _on_publish(self, command: int, body: frames.PublishRequest, _now: float, actions: list[Action]) -> None:
        if body.type != 0:
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
        elif body.data is frames.EMPTY:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        elif self._permitted("publish", command, body.channel, actions):
            try:
                # The JSON codec has validated its payloads; everyone must be able to read what others publish.
                data = single_line(bytes(body.data)) if self._codec.is_binary else bytes(body.data)
            except ValueError:
                self._error(command, codes.ERROR_BAD_REQUEST, actions)
                return
            self._commands += 1
            delta = self._env.namespaces.for_channel(body.channel).delta_publish
            actions.append(Publish(command, body.channel, data, delta))

    def _on_history(self, command: int, body: frames.HistoryRequest, _now: float, actions: list[Action]) -> None:
        since = body.since
        if since is not None and body.reverse and since.offset == 0:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        elif self._permitted("history", command, body.channel, actions):
            self._commands += 1
            bound = self._env.namespaces.for_channel(body.channel).recovery_max_publications
            request = contract.HistoryRequest(
                body.channel,
                limit=bound if body.limit < 0 else min(body.limit, bound),
                since=contract.StreamPosition(since.epoch, since.offset) if since is not None else None,
                reverse=body.reverse,
            )
            actions.append(History(command, request))

    def _on_presence(self, command: int, body: frames.PresenceRequest, _now: float, actions: list[Action]) -> None:
        if self._permitted("presence", command, body.channel, actions):
            self._commands += 1
            actions.append(Presence(command, body.channel))

    def _on_presence_stats(
        self, command: int, body: frames.PresenceStatsRequest, _now: float, actions: list[Action]
    ) -> None:
        if self._permitted("presence", command, body.channel, actions):
            self._commands += 1
            actions.append(PresenceStats(command, body.channel))

    def _on_rpc(self, command: int, body: frames.RPCRequest, _now: float, actions: list[Action]) -> None:
        if not self._env.rpc_methods:
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
        elif body.method not in self._env.rpc_methods:
            self._error(command, codes.ERROR_METHOD_NOT_FOUND, actions)
        else:
            self._commands += 1
            actions.append(Rpc(command, body.method, bytes(body.data)))

    def _on_ping(self, command: int, _body: frames.PingRequest, _now: float, actions: list[Action]) -> None:
        self._error(command, codes.ERROR_NOT_AVAILABLE, actions)

    def call_answered(self, command: int, result: CallResult | CallError) -> list[Action]:
        """A publish, history, presence, presence stats or rpc call has ended."""
        actions: list[Action] = []
        if self.is_closed():
            return actions
        self._commands -= 1
        if isinstance(result, CallError):
            self._error(command, result.error, actions)
            return actions
        reply = frames.Reply(id=command)
        match result:
            case contract.StreamPosition():
                reply.publish = frames.PublishResult()
            case contract.HistoryReply():
                reply.history = history_message(result)
            case contract.PresenceStats():
                reply.presence_stats = frames.PresenceStatsResult(result.clients, result.users)
            case bytes():
                reply.rpc = frames.RPCResult(frames.raw(result))
            case _:
                reply.presence = frames.PresenceResult({key: info_message(info) for key, info in result.items()})
        self._reply(reply, actions)
        return actions
