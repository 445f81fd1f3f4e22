"""The hub: all connections of one process, and the way from their state machines to everything else.

A plain object on one event loop, so there are no locks. Bytes of a connection go to its state machine, whose actions
are carried out here: messages by the flusher, subscriptions by the channels, calls by the callouts.
"""

import asyncio
import time
import uuid
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import structlog

from actors.brokers.contract import BrokerClient, StreamPosition
from actors.protocol import codes
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace
from actors.sessions.contract import RefreshOrder, SessionClient, SessionRecord, SubscribeOrder
from db.auth.networks import caller_network
from serve_app.edge.arrival import NOWHERE, Arrival
from serve_app.edge.retirement import Retirement
from serve_app.realtime import actions as act
from serve_app.realtime.callouts import Callouts
from serve_app.realtime.channels import Channels
from serve_app.realtime.connection import Connection
from serve_app.realtime.core import Address
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.departures import close_gradually
from serve_app.realtime.emulation import EmulatedSessions
from serve_app.realtime.environment import Environment
from serve_app.realtime.flushing import Flusher
from serve_app.realtime.handlers import Handlers
from serve_app.realtime.inspector import Inspector
from serve_app.realtime.peer import Peer
from serve_app.realtime.rate_limits import SHARE_EVERY_S
from serve_app.realtime.recent import Recent
from serve_app.realtime.server_side import NoStream, ServerSubscription
from serve_app.realtime.shared_polls import SharedPolls
from serve_app.realtime.timers import TimerWheel
from serve_app.realtime.tracing import Tracer
from serve_app.realtime.wire import Socket

WRITE_FAILURES: Final = (BrokenPipeError, TimeoutError)
"""How a transport fails when what we wrote could not be delivered; a reset may as well be the client's own end."""

logger = structlog.get_logger(__name__)


class Hub:
    """Owns the connections of one process. Implements SessionSink; `channels` is the brokers' sink."""

    def __init__(self, boot_id: str, env: Environment, handlers: Handlers, *, max_connections: int) -> None:
        self.boot_id = boot_id
        self.env = env
        self._max_connections = max_connections
        self._peers: dict[str, Peer] = {}
        self._generations: Counter[str] = Counter()
        self._newcomers: Counter[str] = Counter()
        self._applying = False
        self._reentrant: deque[tuple[Peer, Sequence[act.Action]]] = deque()
        self._recent = Recent(env.limits.last_frames, lambda: self._loop.time(), env.wall)
        self._flusher = Flusher(self._recent.sent)
        self._callouts = Callouts(env, handlers, self.apply)
        self._wheel: TimerWheel[Peer] = TimerWheel(self._on_due)
        self._emulated = EmulatedSessions()
        self.retirement = Retirement(self)
        self.polls = SharedPolls(handlers.polls, self._flusher, env.wall, env.jitter)
        self.channels = Channels(self._flusher, self.apply, self.too_slow)
        self._tracer = Tracer(boot_id, self._peers, self.channels, env.wall)
        self._inspector = Inspector(
            boot_id, self._peers, self.channels, self._tracer, self.on_disconnect, env, self._recent
        )
        self._sessions: SessionClient
        self._loop: asyncio.AbstractEventLoop

    def start(self, brokers: BrokerClient, sessions: SessionClient) -> None:
        """Begin to serve, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._sessions = sessions
        self._flusher.start(self._loop)
        self._callouts.start(self._loop, brokers)
        self.channels.start(self._loop, brokers)
        self._tracer.start(self._loop, brokers, sessions)
        self._wheel.start(self._loop)
        self.polls.start(self._loop, brokers)
        self.channels.polled = self.polls.heard
        self.env.user_buckets.on_spending = self._share_soon

    async def stop(self) -> None:
        """Close whatever is left and end every task."""
        for peer in list(self._peers.values()):
            self.apply(peer, peer.connection.close(codes.DISCONNECT_SHUTDOWN))
        self._wheel.stop()
        await self._tracer.stop()
        await self.retirement.stop()
        await self._callouts.stop()
        await self.polls.stop()

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._peers)

    @property
    def peers(self) -> Collection[Peer]:
        """Every open connection."""
        return self._peers.values()

    @property
    def is_full(self) -> bool:
        """No further connection is accepted."""
        return len(self._peers) >= self._max_connections

    def replace_namespaces(self, namespaces: Namespaces) -> None:
        """Use other rules from now on; existing subscriptions keep theirs."""
        self.env.use(namespaces)
        self.channels.replace_namespaces(namespaces)

    async def drain(self, window_s: float) -> None:
        """Close all connections with 3001, a few at a time, within the window."""
        logger.info("drain_started", connections=len(self._peers), window_s=window_s)
        await close_gradually(self._peers.values(), self._send_elsewhere, window_s)

    def behind(self, generations: Collection[str]) -> int:
        """How many sockets came through these HAProxy processes."""
        return sum(self._generations[name] for name in generations)

    async def part(self, generations: Collection[str], window_s: float) -> None:
        """Close the sockets that came through these HAProxy processes with 3001, a few at a time."""
        leaving = [peer for peer in self._peers.values() if peer.generation in generations]
        await close_gradually(leaving, self._send_elsewhere, window_s)

    def unauthenticated(self, address: str) -> int:
        """Connections of this address (IPv6: of its /64) that have not sent a good `connect`."""
        return self._newcomers[caller_network(address)]

    def _send_elsewhere(self, peer: Peer) -> None:
        self.apply(peer, peer.connection.close(codes.DISCONNECT_SHUTDOWN))

    # Sockets

    def open(self, socket: Socket, arrival: Arrival = NOWHERE, *, native_ping: bool = False) -> Peer:
        """A new socket. `native_ping`: it is kept alive by pings of the transport's own, not of the protocol."""
        client = str(uuid.uuid4())
        wire = socket.wire
        address = Address(self.env.session_ids.mint(self.boot_id), self.boot_id) if wire.is_emulated else None
        connection = Connection(
            client,
            wire.codec,
            self.env,
            self._loop.time(),
            self.channels,
            address=address,
            native_ping=native_ping,
        )
        peer = Peer(connection, socket, arrival, int(self.env.wall() * 1000))
        self._generations[arrival.generation] += 1
        self._newcomers[caller_network(arrival.address)] += 1
        self._peers[client] = peer
        COUNTS.opened(wire.name)
        self._emulated.add(peer)
        self._wheel.schedule(peer, connection.due)
        return peer

    def receive(self, peer: Peer, frame: bytes) -> None:
        """A frame from the client."""
        COUNTS.frames += 1
        now = self._loop.time()
        self._recent.received(peer, frame, now)
        if peer.tap is not None:
            peer.tap.received(frame)
        try:
            self.apply(peer, peer.connection.receive(frame, now))
        except Exception:
            self._recent.failed()
            raise
        self._recent.handled()

    def emulate(self, session: str, frame: bytes) -> bool:
        """A frame that the client of an emulated session posted. Returns whether there is such a session."""
        peer = self._emulated.find(session)
        if peer is None:
            return False
        self.receive(peer, frame)
        return True

    def ponged(self, peer: Peer) -> None:
        """The transport's own pong has arrived."""
        self.apply(peer, peer.connection.ponged())

    def lost(self, peer: Peer, reason: Exception | None = None) -> None:
        """The socket is gone; `reason`: what the transport failed with."""
        peer.pending = None
        self._emulated.remove(peer, closed_by_us=peer.connection.is_closed())
        if not peer.connection.is_closed():
            if isinstance(reason, WRITE_FAILURES):
                self._ended(peer, codes.DISCONNECT_WRITE_ERROR.code, codes.DISCONNECT_WRITE_ERROR.reason)
            else:
                self._ended(peer, 0, "")
        self.apply(peer, peer.connection.transport_closed())
        self._forget(peer)

    def _ended(self, peer: Peer, code: int, reason: str) -> None:
        COUNTS.ended(code)
        if peer.tap is not None:
            peer.tap.closed(code, reason)
        self._inspector.ended(peer, code, reason)

    def too_slow(self, peer: Peer) -> None:
        """More than QUEUE_BYTES wait for the client. May be called in the middle of a fan-out."""
        self._loop.call_soon(lambda: self.apply(peer, peer.connection.close(codes.DISCONNECT_SLOW)))

    # Actions

    def apply(self, peer: Peer, actions: Sequence[act.Action]) -> None:
        """Carry out what a connection's state machine asks for."""
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
                    self._flusher.queue(peer, message)
                case act.Attach():
                    self.channels.attach(peer, action)
                case act.Detach():
                    self.polls.forget(peer, action.channel)
                    self.channels.detach(peer, action)
                    self._release_grant(peer, action.channel)
                case act.Subscribe(request):
                    self.channels.subscribe(peer, request)
                case act.Register():
                    self._register(peer, action.issued_at_ms)
                case act.RegisterGrant():
                    self._register_grant(peer, action)
                case act.ReleaseGrant(channel):
                    self._release_grant(peer, channel)
                case act.Established():
                    self._welcome(peer)
                    if self._tracer.active:
                        self._tracer.connected(peer)
                    self.channels.release(peer)
                case act.Ping():
                    peer.socket.ping()
                case act.Close(code):
                    self._close(peer, code)
                case act.AskPermission():
                    self._callouts.ask_permission(peer, action)
                case act.Deliver(data):
                    self._callouts.deliver(peer, data)
                case act.Track():
                    self._carry_out(peer, peer.connection.tracked(action, self.polls.track(peer, action)))
                case act.Untrack():
                    self.polls.untrack(peer, action.channel, action.keys)
                case _:
                    self._callouts.call(peer, action)
        if not peer.connection.is_closed():
            self._wheel.schedule(peer, peer.connection.due)

    def _close(self, peer: Peer, code: codes.DisconnectCode) -> None:
        logger.debug("connection_closed", client=peer.connection.client, code=code.code)
        if code.code == codes.DISCONNECT_SLOW.code:
            peer.pending = None
        self._flusher.flush_one(peer)
        self._ended(peer, code.code, code.reason)
        self._forget(peer, code.code)
        peer.socket.close(code.code, code.reason)

    def _forget(self, peer: Peer, code: int = 0) -> None:
        if self._peers.pop(peer.connection.client, None) is None:
            return
        COUNTS.closed(peer.socket.wire.name)
        self._welcome(peer)
        _less(self._generations, peer.generation)
        if self.channels.roster is not None:
            self.channels.roster.closed(peer, code)
        if peer.registered:
            self._sessions.unregister(peer.connection.client, peer.connection.user)
        for channel in tuple(peer.grants or ()):
            self._release_grant(peer, channel)

    def _welcome(self, peer: Peer) -> None:
        """It has authenticated, or is gone."""
        address, peer.newcomer = peer.newcomer, None
        if address is not None:
            _less(self._newcomers, caller_network(address))

    # Connect

    def _register(self, peer: Peer, issued_at_ms: int) -> None:
        connection = peer.connection
        peer.registered = True
        record = self._record(peer, connection.session, issued_at_ms, connection.token_id)
        self._sessions.register(
            record, lambda accepted: self.apply(peer, connection.registered(accepted, self._loop.time()))
        )

    def _register_grant(self, peer: Peer, action: act.RegisterGrant) -> None:
        connection, channel, attempt = peer.connection, action.channel, action.attempt
        if peer.grants is None:
            peer.grants = set()
        peer.grants.add(channel)
        self._sessions.register(
            self._record(peer, "", action.issued_at_ms, action.token_id, channel),
            lambda accepted: self.apply(
                peer, connection.grant_checked(channel, attempt, accepted=accepted, now=self._loop.time())
            ),
        )

    def _release_grant(self, peer: Peer, channel: str) -> None:
        if peer.grants is not None and channel in peer.grants:
            peer.grants.discard(channel)
            self._sessions.unregister(peer.connection.client, peer.connection.user, channel)

    def _record(self, peer: Peer, session: str, issued_at_ms: int, token_id: str, channel: str = "") -> SessionRecord:
        connection = peer.connection
        return SessionRecord(
            client=connection.client,
            user=connection.user,
            session=session,
            hub=self.boot_id,
            transport=peer.socket.wire.name,
            connected_ms=peer.opened_ms,
            name=connection.name,
            version=connection.version,
            issued_at_ms=issued_at_ms,
            token_id=token_id,
            channel=channel,
        )

    # Orders for connections (SessionSink)

    def on_disconnect(self, clients: Sequence[str], code: int, reason: str) -> None:
        """Close these connections."""
        for client in clients:
            peer = self._peers.get(client)
            if peer is not None:
                self.apply(peer, peer.connection.close(codes.disconnect(code, reason)))

    def on_send(self, clients: Sequence[str], data: bytes) -> None:
        """Send a message to these connections."""
        for client in clients:
            peer = self._peers.get(client)
            if peer is not None:
                self.apply(peer, peer.connection.message(data))

    def on_subscribe(self, clients: Sequence[str], order: SubscribeOrder) -> None:
        """Subscribe these connections on the server's behalf."""
        chosen = ServerSubscription(
            order.channel,
            info=order.info,
            data=order.data,
            expires_at=float(order.expire_at) if order.expire_at else None,
            since=StreamPosition(*order.since) if order.since is not None else None,
            override=order.override,
        )
        for client in clients:
            try:
                self.subscribe_client(client, chosen)
            except (UnknownNamespace, InvalidChannel, NoStream) as reason:
                logger.warning("ordered_subscription_impossible", channel=order.channel, reason=str(reason))
                return

    def on_unsubscribe(self, clients: Sequence[str], channel: str, code: int, reason: str) -> None:
        """Take a channel, or all, away from these connections."""
        ending = codes.unsubscribe(code, reason)
        for client in clients:
            peer = self._peers.get(client)
            held = list(peer.connection.subscriptions) if peer is not None else []
            for name in [channel] if channel else held:
                self.unsubscribe_client(client, name, ending)

    def on_refresh(self, clients: Sequence[str], order: RefreshOrder) -> None:
        """Give these connections another end."""
        expires_at = 0.0 if order.expired else float(order.expire_at) or None
        for client in clients:
            self.refresh_client(client, expires_at)

    def on_spent(self, user: str, amounts: Mapping[str, int]) -> None:
        """A user has used so much of its rates in another process."""
        limiter, now = self.env.limiter, self._loop.time()
        if limiter is not None and limiter.counts_users:
            limiter.charge(self.env.user_buckets.of(user, now), amounts, now)

    def _share_soon(self) -> None:
        self._loop.call_later(SHARE_EVERY_S, self._share_spending)

    def _share_spending(self) -> None:
        spent = self.env.user_buckets.take_spent()
        if spent:
            self._sessions.spend(spent)

    def on_retired(self, generations: Sequence[str]) -> None:
        """Sockets behind these HAProxy processes must move."""
        self.retirement.empty(generations)

    def on_question(self, question: bytes) -> bytes:
        """Answer an operator's question about this process."""
        return self._inspector.answer(question)

    def subscribe_client(self, client: str, chosen: ServerSubscription) -> bool:
        """Subscribe a connection of this process; returns whether it is here. Raises as `Connection` does."""
        peer = self._peers.get(client)
        if peer is not None:
            self.apply(peer, peer.connection.subscribe_client(chosen))
        return peer is not None

    def unsubscribe_client(self, client: str, channel: str, code: codes.UnsubscribeCode) -> bool:
        """End a subscription of a connection of this process; returns whether it is here."""
        peer = self._peers.get(client)
        if peer is not None:
            self.apply(peer, peer.connection.unsubscribe_client(channel, code))
        return peer is not None

    def refresh_client(self, client: str, expires_at: float | None) -> bool:
        """Set when a connection of this process expires; returns whether it is here."""
        peer = self._peers.get(client)
        if peer is not None:
            self.apply(peer, peer.connection.refresh_client(expires_at, self._loop.time()))
        return peer is not None

    def on_commands(self, session: str, data: bytes) -> bool:
        """Commands that another process received for an emulated session of ours."""
        return self.emulate(session, data)

    # Time

    def _on_due(self, peer: Peer) -> None:
        if peer.connection.is_closed():
            return
        now = self._loop.time()
        try:
            self._recent.settle(peer, now)
            self.apply(peer, peer.connection.tick(now))
        except Exception:
            # Without its next deadline nobody would ever ping it, or notice that it is gone.
            logger.exception("deadline_failed", client=peer.connection.client)
            self.apply(peer, peer.connection.close(codes.DISCONNECT_SERVER_ERROR))


def new_boot_id() -> str:
    """Identity of one life of one process."""
    return uuid.uuid4().hex


def unix_time() -> float:
    """The wall clock that hubs use."""
    return time.time()


def _less(counter: Counter[Any], key: object) -> None:
    """One less; nothing is kept for what is gone."""
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
