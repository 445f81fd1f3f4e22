"""The part of a connection that publishes, reads and calls the application."""

from collections.abc import Callable
from functools import partial

from actors.brokers import contract
from actors.protocol import codes, frames, presence_maps
from actors.protocol.namespaces import Namespace
from serve_app.realtime import permits
from serve_app.realtime.actions import Action, AskPermission, History, Presence, PresenceStats, Publish, Rpc
from serve_app.realtime.core import AskedOperation
from serve_app.realtime.encoding import history_message, info_message
from serve_app.realtime.map_changing import MapChanging
from serve_app.realtime.subscription import SubscriptionState
from serve_app.realtime.verdicts import Granted


class CallError(Exception):
    """A call ended with an error code, which the client is told."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(f"{code} {message}")
        self.error = codes.error(code, message)


CallResult = (
    contract.StreamPosition | contract.HistoryReply | contract.PresenceStats | dict[str, contract.ClientInfo] | bytes
)
"""What an action with a command number is answered with."""


class Calling(MapChanging):
    """Commands that end in one call to a broker or to the application."""

    __slots__ = ()

    def _if_permitted(
        self,
        operation: permits.Operation,
        command: int,
        channel: str,
        proceed: Callable[[Namespace, list[Action], bytes], None],
        actions: list[Action],
        data: bytes = b"",
    ) -> None:
        """Go on at once, or when a callback allows it; or answer an error.

        `proceed` gets the rules and what the callback wants published instead of `data`, if anything.
        """
        resolved = self._resolve(command, channel, actions)
        if resolved is None:
            return
        if presence_maps.parse(channel) is not None:
            # Who may read presence may subscribe to it; its changes are no history, and nobody publishes them.
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
            return
        sub = self.subscriptions.get(channel)
        subscribed = sub is not None and sub.state is SubscriptionState.LIVE
        rules = resolved[0]
        verdict = permits.operate(
            operation,
            rules,
            self.user,
            subscribed=subscribed,
            insecure=self._env.insecure,
            granted=self._granted(channel),
        )
        if isinstance(verdict, codes.ErrorCode):
            self._error(command, verdict, actions)
        elif verdict is None:
            self._commands += 1
            proceed(rules, actions, b"")
        else:
            self._commands += 1
            attempt = next(self._env.attempts)
            if self._asked is None:
                self._asked = {}
            self._asked[channel] = AskedOperation(attempt, command, partial(proceed, rules))
            actions.append(AskPermission(verdict.callback, channel, attempt, operation, data))

    def _operation_answered(
        self,
        channel: str,
        asked: AskedOperation,
        verdict: bool | Granted | codes.ErrorCode,
        now: float,
        actions: list[Action],
    ) -> None:
        if self._asked is not None:
            del self._asked[channel]
            self._asked = self._asked or None
        if isinstance(verdict, Granted):
            asked.proceed(actions, verdict.data)
        elif verdict is True:
            asked.proceed(actions, b"")
        else:
            self._commands -= 1
            self._error(asked.command, codes.ERROR_PERMISSION_DENIED if verdict is False else verdict, actions)
        self._commands -= len(asked.held)
        self._resume(asked.held, now, actions)

    def _on_publish(self, command: int, body: frames.PublishRequest, _now: float, actions: list[Action]) -> None:
        if body.type == frames.TYPE_MAP:
            self._change_key(command, body, actions)
            return
        if body.type != 0:
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
            return
        if body.data is frames.EMPTY:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        data = bytes(body.data)

        def proceed(rules: Namespace, then: list[Action], instead: bytes) -> None:
            then.append(Publish(command, body.channel, instead or data, rules.delta_publish))

        self._if_permitted("publish", command, body.channel, proceed, actions, data)

    def _on_history(self, command: int, body: frames.HistoryRequest, _now: float, actions: list[Action]) -> None:
        since = body.since
        if since is not None and body.reverse and since.offset == 0:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return

        def proceed(rules: Namespace, then: list[Action], _instead: bytes) -> None:
            bound = rules.recovery_max_publications
            request = contract.HistoryRequest(
                body.channel,
                limit=bound if body.limit < 0 else min(body.limit, bound),
                since=contract.StreamPosition(since.epoch, since.offset) if since is not None else None,
                reverse=body.reverse,
            )
            sub = self.subscriptions.get(body.channel)
            then.append(History(command, request, sub.imposed if sub is not None else None))

        self._if_permitted("history", command, body.channel, proceed, actions)

    def _on_presence(self, command: int, body: frames.PresenceRequest, _now: float, actions: list[Action]) -> None:
        def proceed(_rules: Namespace, then: list[Action], _instead: bytes) -> None:
            then.append(Presence(command, body.channel))

        self._if_permitted("presence", command, body.channel, proceed, actions)

    def _on_presence_stats(
        self, command: int, body: frames.PresenceStatsRequest, _now: float, actions: list[Action]
    ) -> None:
        def proceed(_rules: Namespace, then: list[Action], _instead: bytes) -> None:
            then.append(PresenceStats(command, body.channel))

        self._if_permitted("presence", command, body.channel, proceed, actions)

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
