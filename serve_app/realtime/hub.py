"""The hub: all connections of one process, their channels, and the way to brokers and sessions.

A plain object on one event loop, so there are no locks. Bytes of a connection go to its state machine, whose actions
are carried out here; what the stream brings goes to everyone who listens, encoded and framed once.
"""

import asyncio
import itertools
import random
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from actors.brokers import contract
from actors.brokers.contract import BrokerClient, BrokerError
from actors.protocol import codes
from actors.protocol.json_codec import single_line
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import SessionClient, SessionRecord
from serve_app.realtime import actions as act
from serve_app.realtime.channel import Channel
from serve_app.realtime.connection import CallError, CallResult, Connection, ConnectionState
from serve_app.realtime.environment import Environment
from serve_app.realtime.handlers import Caller, Handlers
from serve_app.realtime.peer import Peer
from serve_app.realtime.timers import TimerWheel
from serve_app.realtime.turns import Turns, at_once
from serve_app.realtime.wire import Socket

QUEUE_BYTES: Final = 1024 * 1024
"""Bytes a client may leave unread before it is closed with 3008."""

PERMISSION_DEADLINE_S: Final = 3.0
"""SDK commands time out after 5 s: an answer must come before."""

SPREAD_PER_S: Final = 500
SPREAD_LIMIT_S: Final = 10.0
"""A channel's subscribers are told to come back at this rate, within this time."""

logger = structlog.get_logger(__name__)


class Hub:
    """Owns the connections of one process. Implements ChannelSink and SessionSink."""

    def __init__(self, boot_id: str, env: Environment, handlers: Handlers, *, max_connections: int) -> None:
        self.boot_id = boot_id
        self.env = env
        self._handlers = handlers
        self._max_connections = max_connections
        self._peers: dict[str, Peer] = {}
        self._channels: dict[str, Channel] = {}
        self._numbers = itertools.count(1)
        self._dirty: list[Peer] = []
        self._applying = False
        self._reentrant: deque[tuple[Peer, Sequence[act.Action]]] = deque()
        self._turns = Turns()
        self._wheel: TimerWheel[Peer] = TimerWheel(self._on_due)
        self._tasks: set[asyncio.Task[None]] = set()
        self._brokers: BrokerClient
        self._sessions: SessionClient
        self._loop: asyncio.AbstractEventLoop

    def start(self, brokers: BrokerClient, sessions: SessionClient) -> None:
        """Begin to serve, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._brokers, self._sessions = brokers, sessions
        self._turns.start(self._loop)
        self._wheel.start(self._loop)

    async def stop(self) -> None:
        """Close whatever is left and end every task."""
        for peer in list(self._peers.values()):
            self._apply(peer, peer.connection.close(codes.DISCONNECT_SHUTDOWN))
        self._wheel.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._peers)

    @property
    def channels(self) -> int:
        """Channels with subscribers here."""
        return len(self._channels)

    @property
    def is_full(self) -> bool:
        """No further connection is accepted."""
        return len(self._peers) >= self._max_connections

    def replace_namespaces(self, namespaces: Namespaces) -> None:
        """Use other rules from now on; existing subscriptions keep theirs."""
        self.env.namespaces = namespaces

    async def drain(self, window_s: float) -> None:
        """Close all connections with 3001, a few at a time, within the window."""
        waiting = list(self._peers.values())
        random.shuffle(waiting)
        logger.info("drain_started", connections=len(waiting), window_s=window_s)
        started = self._loop.time()
        for done, peer in enumerate(waiting):
            ahead = started + window_s * done / len(waiting) - self._loop.time()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._apply(peer, peer.connection.close(codes.DISCONNECT_SHUTDOWN))

    # Sockets

    def open(self, socket: Socket) -> Peer:
        """A new socket."""
        client = str(uuid.uuid4())
        connection = Connection(client, socket.wire.codec, self.env, self._loop.time(), self._number)
        peer = Peer(connection, socket)
        self._peers[client] = peer
        self._wheel.schedule(peer, connection.due)
        return peer

    def receive(self, peer: Peer, frame: bytes) -> None:
        """A frame from the client."""
        self._apply(peer, peer.connection.receive(frame, self._loop.time()))

    def lost(self, peer: Peer) -> None:
        """The socket is gone."""
        peer.pending = None
        self._apply(peer, peer.connection.transport_closed())
        self._forget(peer)

    def too_slow(self, peer: Peer) -> None:
        """More than QUEUE_BYTES wait for the client. May be called in the middle of a fan-out."""
        self._loop.call_soon(lambda: self._apply(peer, peer.connection.close(codes.DISCONNECT_SLOW)))

    # Actions

    def _apply(self, peer: Peer, actions: Sequence[act.Action]) -> None:
        if self._applying:
            # A client that answers within the call: its consequences follow the actions that led to it.
            self._reentrant.append((peer, actions))
            return
        self._applying = True
        try:
            self._carry_out(peer, actions)
            while self._reentrant:
                self._carry_out(*self._reentrant.popleft())
        finally:
            self._applying = False

    def _carry_out(self, peer: Peer, actions: Sequence[act.Action]) -> None:
        for action in actions:
            match action:
                case act.Send(message):
                    self._queue(peer, message)
                case act.Attach():
                    self._attach(peer, action)
                case act.Detach():
                    self._detach(peer, action)
                case act.Subscribe(request):
                    self._subscribe(peer, request)
                case act.Register():
                    self._register(peer, action.issued_at_ms)
                case act.Established():
                    self._established(peer)
                case act.Close(code):
                    self._close(peer, code)
                case act.AskPermission():
                    self._spawn(self._ask_permission(peer, action))
                case act.Deliver(data):
                    self._deliver(peer, data)
                case _:
                    self._call(peer, action)
        if not peer.connection.is_closed():
            self._wheel.schedule(peer, peer.connection.due)

    def _queue(self, peer: Peer, message: bytes) -> None:
        """Messages of one turn of the loop leave together."""
        if peer.pending is not None:
            peer.pending.append(message)
            return
        peer.pending = [message]
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(peer)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            self._flush_one(peer)

    def _flush_one(self, peer: Peer) -> None:
        pending, peer.pending = peer.pending, None
        if pending:
            peer.socket.write(peer.socket.wire.pack(pending))

    def _close(self, peer: Peer, code: codes.DisconnectCode) -> None:
        logger.debug("connection_closed", client=peer.connection.client, code=code.code)
        if code is codes.DISCONNECT_SLOW:
            peer.pending = None
        self._flush_one(peer)
        self._forget(peer)
        peer.socket.close(code.code, code.reason)

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.connection.client, None) is not None and peer.registered:
            self._sessions.unregister(peer.connection.client, peer.connection.user)

    # Connect

    def _register(self, peer: Peer, issued_at_ms: int) -> None:
        connection = peer.connection
        peer.registered = True
        record = SessionRecord(
            client=connection.client,
            user=connection.user,
            session=connection.session,
            hub=self.boot_id,
            transport=peer.socket.wire.name,
            connected_ms=int(self.env.wall() * 1000),
            name=connection.name,
            version=connection.version,
            issued_at_ms=issued_at_ms,
        )
        self._sessions.register(
            record, lambda accepted: self._apply(peer, connection.registered(accepted, self._loop.time()))
        )

    def _established(self, peer: Peer) -> None:
        for channel in peer.connection.subscriptions:
            if channel in self._channels:
                self._channels[channel].release(peer)
        held, peer.held, peer.held_bytes = peer.held, None, 0
        for message in held or ():
            self._queue(peer, message)

    # Channels

    def _number(self, channel: str) -> int:
        return self._channels[channel].number

    def _subscribe(self, peer: Peer, request: contract.SubscribeRequest) -> None:
        channel = self._channels.get(request.channel)
        if channel is None:
            channel = self._channels[request.channel] = Channel(request.channel, next(self._numbers))
        channel.interest.add(request.subscription)
        self._brokers.subscribe(request, lambda reply: self._in_order(self._subscribed, peer, request, reply))

    def _subscribed(
        self, peer: Peer, request: contract.SubscribeRequest, reply: contract.SubscribeReply | BrokerError
    ) -> None:
        channel = self._channels.get(request.channel)
        if isinstance(reply, BrokerError):
            self._give_up(request.channel, request.subscription)
        elif channel is not None:
            self._adopt_position(channel, reply.position)
        answered = peer.connection.subscribe_answered(request.channel, request.subscription, reply, self._loop.time())
        self._apply(peer, answered)

    def _adopt_position(self, channel: Channel, position: contract.StreamPosition) -> None:
        moved = (channel.epoch, channel.offset) != (position.epoch, position.offset)
        if moved and channel.epoch and (channel.variants or channel.waiting):
            # The stream went on without a publication for us: those who listen already have a gap.
            self._insufficient(channel)
        channel.epoch, channel.offset = position.epoch, position.offset

    def _give_up(self, name: str, attempt: int) -> bool:
        """One subscription less. Returns whether it was the last."""
        channel = self._channels.get(name)
        if channel is None:
            return True
        channel.interest.discard(attempt)
        if not channel.interest:
            del self._channels[name]
            return True
        return False

    def _attach(self, peer: Peer, action: act.Attach) -> None:
        channel = self._channels[action.channel]
        sub = peer.connection.subscriptions.get(action.channel)
        if sub is None or sub.attempt != action.attempt:
            return
        # Before anything else is written to the channel, the subscribe reply must be on its way.
        waiting = peer.connection.state is not ConnectionState.CONNECTED
        channel.add(peer, compact=sub.compact, join_leave=sub.features.pushes_join_leave, waiting=waiting)

    def _detach(self, peer: Peer, action: act.Detach) -> None:
        channel = self._channels.get(action.channel)
        if channel is not None:
            channel.remove(peer)
        last = self._give_up(action.channel, action.attempt)
        if action.tell_broker:
            self._brokers.unsubscribe(action.channel, action.attempt, action.info, last=last)

    # The stream (ChannelSink)

    def _in_order(self, call: Callable[..., None], *arguments: Any) -> None:
        self._turns.run(at_once(lambda: call(*arguments)))

    def on_publications(self, channel: str, publications: Sequence[contract.Publication]) -> None:
        """New publications of a channel."""
        self._turns.run(self._publications(channel, publications))

    def _publications(self, name: str, publications: Sequence[contract.Publication]) -> Any:
        channel = self._channels.get(name)
        if channel is None or not publications:
            return
        fresh = channel.advance(publications)
        if fresh is None:
            self._insufficient(channel)
        elif fresh:
            if self._dirty:
                self._flush()  # a subscribe reply must not be overtaken by the channel's publications
            yield from channel.publish(fresh)
            self._bound_held(channel)

    def on_join(self, channel: str, info: contract.ClientInfo) -> None:
        """A connection joined a channel."""
        self._turns.run(self._announce(channel, info, joined=True))

    def on_leave(self, channel: str, info: contract.ClientInfo) -> None:
        """A connection left a channel."""
        self._turns.run(self._announce(channel, info, joined=False))

    def _announce(self, name: str, info: contract.ClientInfo, *, joined: bool) -> Any:
        channel = self._channels.get(name)
        if channel is not None:
            if self._dirty:
                self._flush()
            yield from channel.announce(info, joined=joined)

    def _bound_held(self, channel: Channel) -> None:
        for peer in channel.waiting:
            if peer.held_bytes > QUEUE_BYTES:
                self.too_slow(peer)

    def on_insufficient(self, channel: str) -> None:
        """The stream of a channel broke."""
        self._in_order(self._on_insufficient, channel)

    def _on_insufficient(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            self._insufficient(channel)
            channel.epoch, channel.offset = "", 0

    def _insufficient(self, channel: Channel) -> None:
        """Deliver nothing more, and tell the subscribers to come back, spread over time."""
        affected: list[tuple[Peer, int]] = []
        for peer in channel.peers():
            sub = peer.connection.subscriptions.get(channel.name)
            if sub is not None and sub.features.positioned:
                channel.remove(peer)
                affected.append((peer, sub.attempt))
        rate = max(SPREAD_PER_S, len(affected) / SPREAD_LIMIT_S)
        step = max(int(rate / 10), 1)
        for number, start in enumerate(range(0, len(affected), step)):
            part = affected[start : start + step]
            delay = number * 0.1 + random.random() * 0.1  # noqa: S311 - spreads load, guards nothing
            self._loop.call_later(delay, self._tell_insufficient, channel.name, part)

    def _tell_insufficient(self, name: str, affected: list[tuple[Peer, int]]) -> None:
        for peer, attempt in affected:
            sub = peer.connection.subscriptions.get(name)
            if sub is not None and sub.attempt == attempt:
                code = codes.UNSUBSCRIBE_INSUFFICIENT
                self._apply(peer, peer.connection.unsubscribed(name, code, tell_broker=True))

    def on_unsubscribed(self, channel: str, client: str, code: int, reason: str) -> None:
        """The server took subscriptions away."""
        self._in_order(self._unsubscribed, channel, client, codes.unsubscribe(code, reason))

    def _unsubscribed(self, name: str, client: str, code: codes.UnsubscribeCode) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        for peer in channel.peers():
            if client in ("", peer.connection.client):
                self._apply(peer, peer.connection.unsubscribed(name, code, tell_broker=False))

    # Orders for connections (SessionSink)

    def on_disconnect(self, clients: Sequence[str], code: int, reason: str) -> None:
        """Close these connections."""
        for client in clients:
            peer = self._peers.get(client)
            if peer is not None:
                self._apply(peer, peer.connection.close(codes.disconnect(code, reason)))

    def on_send(self, clients: Sequence[str], data: bytes) -> None:
        """Send a message to these connections."""
        for client in clients:
            peer = self._peers.get(client)
            if peer is not None:
                self._apply(peer, peer.connection.message(data))

    # Calls

    def _call(self, peer: Peer, action: act.Action) -> None:
        match action:
            case act.Publish():
                request = contract.PublishRequest(
                    channel=action.channel,
                    data=action.data,
                    publication_id=uuid.uuid4().hex,
                    info=self._publisher(peer, action.channel),
                    delta=action.delta,
                )
                self._answer(peer, action.command, self._brokers.publish(request))
            case act.History():
                self._answer(peer, action.command, self._brokers.history(action.request))
            case act.Presence():
                self._answer(peer, action.command, self._presence(action.channel))
            case act.PresenceStats():
                self._answer(peer, action.command, self._brokers.presence_stats(action.channel))
            case act.Rpc():
                self._answer(peer, action.command, self._rpc(peer, action))

    def _publisher(self, peer: Peer, channel: str) -> contract.ClientInfo:
        sub = peer.connection.subscriptions.get(channel)
        return sub.info if sub is not None else peer.connection.info

    async def _presence(self, channel: str) -> dict[str, contract.ClientInfo]:
        return dict(await self._brokers.presence(channel))

    async def _rpc(self, peer: Peer, action: act.Rpc) -> bytes:
        result = await self._handlers.rpc_methods[action.method](self._caller(peer), action.data)
        return single_line(result) if result else b""

    def _answer(self, peer: Peer, command: int, call: Awaitable[CallResult]) -> None:
        self._spawn(self._await_answer(peer, command, call))

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

    async def _ask_permission(self, peer: Peer, action: act.AskPermission) -> None:
        callback = self._handlers.permissions.get(action.callback)
        verdict: bool | codes.ErrorCode
        if callback is None:
            logger.error("permission_callback_missing", callback=action.callback, channel=action.channel)
            verdict = codes.ERROR_NOT_AVAILABLE
        else:
            try:
                async with asyncio.timeout(PERMISSION_DEADLINE_S):
                    verdict = await callback(peer.connection.user, action.channel)
            except Exception:
                logger.exception("permission_callback_failed", callback=action.callback, channel=action.channel)
                verdict = codes.ERROR_INTERNAL
        now = self._loop.time()
        self._apply(peer, peer.connection.permission_answered(action.channel, action.attempt, verdict, now))

    def _deliver(self, peer: Peer, data: bytes) -> None:
        handler = self._handlers.message_handler
        if handler is not None:
            self._spawn(self._handle_message(handler(self._caller(peer), data)))

    async def _handle_message(self, handling: Awaitable[None]) -> None:
        try:
            await handling
        except Exception:
            logger.exception("message_handler_failed")

    def _caller(self, peer: Peer) -> Caller:
        connection = peer.connection
        return Caller(connection.user, connection.client, connection.session)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Time

    def _on_due(self, peer: Peer) -> None:
        if not peer.connection.is_closed():
            self._apply(peer, peer.connection.tick(self._loop.time()))


def new_boot_id() -> str:
    """Identity of one life of one process."""
    return uuid.uuid4().hex


def unix_time() -> float:
    """The wall clock that hubs use."""
    return time.time()
