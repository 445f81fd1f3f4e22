"""What a command needs from elsewhere: calls to the brokers, permission callbacks, the application's methods.

Each is one task that ends in an answer to the connection's state machine; none concerns the order of a channel.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar, cast

import structlog

from actors.brokers import contract
from actors.brokers.contract import BrokerClient, BrokerError
from actors.protocol import codes
from cluster.background import Background
from serve_app.realtime import actions as act
from serve_app.realtime.connection import CallError, CallResult
from serve_app.realtime.environment import Environment
from serve_app.realtime.handlers import DEADLINE_S, Caller, ConnectAttempt, Handlers, Question
from serve_app.realtime.peer import Peer
from serve_app.realtime.subscription import SubscriptionState
from serve_app.realtime.verdicts import Admission, Granted, one_line

RPC_DEADLINE_S: Final = 4.5
"""A method may take almost as long as SDKs wait."""

Answer = TypeVar("Answer")

logger = structlog.get_logger(__name__)


class Callouts:
    """Carries out the calls of one hub's connections."""

    def __init__(
        self, env: Environment, handlers: Handlers, apply: Callable[[Peer, Sequence[act.Action]], None]
    ) -> None:
        self._env = env
        self._handlers = handlers
        self._apply = apply
        self._background = Background()
        self._brokers: BrokerClient
        self._loop: asyncio.AbstractEventLoop

    def start(self, loop: asyncio.AbstractEventLoop, brokers: BrokerClient) -> None:
        """Call these brokers from now on."""
        self._loop, self._brokers = loop, brokers

    async def stop(self) -> None:
        """End every call that is under way."""
        await self._background.stop()

    def call(self, peer: Peer, action: act.Action) -> None:
        """Carry an action out whose answer is `Connection.call_answered`."""
        match action:
            case act.Publish():
                request = contract.PublishRequest(
                    channel=action.channel,
                    data=action.data,
                    publication_id=uuid.uuid4().hex,
                    info=_publisher(peer, action.channel),
                    delta=action.delta,
                    change=action.change,
                )
                self._answer(peer, action.command, self._brokers.publish(request))
            case act.History():
                self._answer(peer, action.command, self._history(action))
            case act.Presence():
                self._answer(peer, action.command, self._presence(action.channel))
            case act.PresenceStats():
                self._answer(peer, action.command, self._brokers.presence_stats(action.channel))
            case act.Rpc():
                self._answer(peer, action.command, self._rpc(peer, action))
            case act.AskConnect():
                self._background.spawn(self._ask_connect(peer, action))
            case act.FetchKeys():
                self._background.spawn(self._fetch_keys(peer, action))

    async def _history(self, action: act.History) -> contract.HistoryReply:
        reply = await self._brokers.history(action.request)
        if action.tags is None:
            return reply
        return replace(reply, publications=[each for each in reply.publications if action.tags.matches(each.tags)])

    async def _presence(self, channel: str) -> dict[str, contract.ClientInfo]:
        return dict(await self._brokers.presence(channel))

    async def _rpc(self, peer: Peer, action: act.Rpc) -> bytes:
        async with asyncio.timeout(RPC_DEADLINE_S):
            result = await self._handlers.rpc_methods[action.method](_caller(peer), action.data)
        return one_line(result)

    def _answer(self, peer: Peer, command: int, call: Awaitable[CallResult]) -> None:
        self._background.spawn(self._await_answer(peer, command, call))

    async def _await_answer(self, peer: Peer, command: int, call: Awaitable[CallResult]) -> None:
        result: CallResult | CallError
        try:
            result = await call
        except BrokerError as reason:
            result = CallError(reason.code, reason.message)
        except CallError as reason:
            result = reason
        except Exception:
            logger.exception("call_failed", client=peer.connection.client)
            result = CallError(codes.ERROR_INTERNAL.code)
        self._apply(peer, peer.connection.call_answered(command, result))

    def ask_permission(self, peer: Peer, action: act.AskPermission) -> None:
        """Run a permission callback; the answer is `Connection.permission_answered`."""
        self._background.spawn(self._ask_permission(peer, action))

    async def _ask_permission(self, peer: Peer, action: act.AskPermission) -> None:
        callback = self._handlers.permissions.get(action.callback)
        verdict: bool | Granted | codes.ErrorCode
        if callback is None:
            logger.error("permission_callback_missing", callback=action.callback, channel=action.channel)
            verdict = codes.ERROR_NOT_AVAILABLE
        else:
            about = action.about or action.channel
            variables = self._env.namespaces.variables(about)
            question = Question(_caller(peer), action.operation, about, variables, action.data)
            verdict = await _decided(lambda: callback(question), action.callback)
        now = self._loop.time()
        self._apply(peer, peer.connection.permission_answered(action.channel, action.attempt, verdict, now))

    async def _ask_connect(self, peer: Peer, action: act.AskConnect) -> None:
        handler, request = self._handlers.connect_handler, action.request
        answer: Admission | codes.ErrorCode | codes.DisconnectCode = codes.DISCONNECT_PERMISSION_DENIED
        if handler is not None:
            attempt = ConnectAttempt(
                peer.connection.client,
                action.credentials,
                bytes(request.data),
                request.name,
                request.version,
                request.headers,
            )
            answer = await _decided(lambda: handler(attempt), "connect") or codes.DISCONNECT_PERMISSION_DENIED
        self._apply(peer, peer.connection.connect_answered(answer, self._loop.time()))

    async def _fetch_keys(self, peer: Peer, action: act.FetchKeys) -> None:
        await action.fetch()
        self._apply(peer, peer.connection.keys_fetched(self._loop.time()))

    def deliver(self, peer: Peer, data: bytes) -> None:
        """Hand the application a message that expects no reply."""
        handler = self._handlers.message_handler
        if handler is not None:
            self._background.spawn(self._handle_message(peer, handler(_caller(peer), data)))

    async def _handle_message(self, peer: Peer, handling: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                await handling
        except TimeoutError:
            logger.warning("callback_too_slow", callback="message", deadline_s=DEADLINE_S)
        except Exception:
            logger.exception("message_handler_failed")
        finally:
            peer.connection.message_handled()


async def _decided(decide: Callable[[], Awaitable[Answer]], name: str) -> Answer | codes.ErrorCode:
    """What a callback answers within its time; else the error that its caller is told, also when calling it fails.

    An answer whose JSON is none has failed as well.
    """
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer = await decide()
        return cast("Answer", answer.checked()) if isinstance(answer, Granted | Admission) else answer
    except CallError as reason:
        return reason.error
    except TimeoutError:
        logger.warning("callback_too_slow", callback=name, deadline_s=DEADLINE_S)
    except Exception:
        logger.exception("callback_failed", callback=name)
    return codes.ERROR_INTERNAL


def _publisher(peer: Peer, channel: str) -> contract.ClientInfo:
    sub = peer.connection.subscriptions.get(channel)
    return sub.info if sub is not None else peer.connection.info


def _caller(peer: Peer) -> Caller:
    connection = peer.connection
    # Not what a callback still decides about, or the shard: nobody has said yet that the client may.
    channels = frozenset(
        channel for channel, sub in connection.subscriptions.items() if sub.state is SubscriptionState.LIVE
    )
    return Caller(connection.user, connection.client, connection.session, connection.meta, channels)
