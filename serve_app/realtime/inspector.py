"""What one realtime process tells operators about itself: its connections, and how the last ones ended.

Everything is read from what the process holds anyway, when it is asked; only endings are remembered, a bounded number.
"""

import heapq
import os
import resource
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from actors.protocol.codec import Codec
from actors.protocol.namespace import written
from serve_app.realtime import questions as ask
from serve_app.realtime.channels import Channels
from serve_app.realtime.environment import Environment
from serve_app.realtime.peer import Frame, Peer
from serve_app.realtime.recent import Recent
from serve_app.realtime.subscription import Subscription
from serve_app.realtime.tracing import Tracer

ENDINGS_KEPT: Final = 1_000

_PAGE_BYTES: Final = resource.getpagesize()

logger = structlog.get_logger(__name__)


class _Ended(NamedTuple):
    ending: ask.Ending
    frames: Sequence[Frame]
    codec: Codec


class Inspector:
    """Answers `serve_app.realtime.questions` for one hub. `close` ends connections."""

    def __init__(
        self,
        hub: str,
        peers: Mapping[str, Peer],
        channels: Channels,
        tracer: Tracer,
        close: Callable[[Sequence[str], int, str], None],
        env: Environment,
        recent: Recent,
    ) -> None:
        self._hub = hub
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._peers = peers
        self._channels = channels
        self._tracer = tracer
        self._close = close
        self._env = env
        self._wall = env.wall
        self._started = env.wall()
        self._recent = recent
        self._endings: deque[_Ended] = deque(maxlen=ENDINGS_KEPT)

    def ended(self, peer: Peer, code: int, reason: str) -> None:
        """Remember how a connection ended, and its last frames; `code` 0 when its transport went away without one."""
        connection = peer.connection
        ending = ask.Ending(
            self._hub,
            connection.client,
            connection.user,
            connection.session,
            peer.socket.wire.name,
            peer.opened_ms,
            int(self._wall() * 1000),
            code,
            reason,
            peer.socket.queued,
            connection.info.conn_info,
        )
        self._endings.append(_Ended(ending, self._recent.last(peer), peer.socket.wire.codec))

    def answer(self, question: bytes) -> bytes:
        """The answer to any question of this process; nothing to one that it does not understand."""
        try:
            asked = ask.decode_question(question)
        except ask.DecodeError:
            # An asker of another version, during a deployment.
            logger.warning("question_not_understood")
            return b""
        if isinstance(asked, ask.AskNode):
            return ask.encode(self._node())
        if isinstance(asked, ask.AskConnections):
            return ask.encode(self._connections(asked))
        if isinstance(asked, ask.CloseConnection):
            found = asked.client in self._peers
            self._close([asked.client], asked.code, asked.reason)
            return ask.encode(ask.Done(found))
        if isinstance(asked, ask.StartTrace):
            return ask.encode(ask.Done(self._tracer.begin(asked)))
        if isinstance(asked, ask.StopTrace):
            return ask.encode(ask.Done(self._tracer.end(asked.id, "stopped")))
        if isinstance(asked, ask.AskTraces):
            return ask.encode(ask.TracePage(self._tracer.report()))
        if isinstance(asked, ask.AskNamespaces):
            return ask.encode(self._rules())
        return ask.encode(self._ended(asked))

    def _node(self) -> ask.NodeReport:
        transports: dict[str, int] = {}
        users: set[str] = set()
        subscriptions = 0
        for peer in self._peers.values():
            name = peer.socket.wire.name
            transports[name] = transports.get(name, 0) + 1
            users.add(peer.connection.user)
            subscriptions += len(peer.connection.subscriptions)
        uptime_s = max(self._wall() - self._started, 0.0)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return ask.NodeReport(
            hub=self._hub,
            name=self._name,
            connections=len(self._peers),
            users=len(users),
            subscriptions=subscriptions,
            channels=len(self._channels),
            uptime_s=int(uptime_s),
            cpu_percent=round(100 * (used.ru_utime + used.ru_stime) / uptime_s, 1) if uptime_s else 0.0,
            rss_bytes=_resident_bytes(),
            transports=transports,
        )

    def _connections(self, asked: ask.AskConnections) -> ask.ConnectionPage:
        found = [peer for peer in self._candidates(asked) if _meets(peer, asked)]
        limit = min(max(asked.limit, 0), ask.PAGE_MAX)
        page = heapq.nsmallest(
            limit,
            (peer for peer in found if peer.connection.client > asked.after),
            key=lambda peer: peer.connection.client,
        )
        return ask.ConnectionPage(len(found), [self._held(peer, whole=bool(asked.client)) for peer in page])

    def _candidates(self, asked: ask.AskConnections) -> Iterable[Peer]:
        if asked.client:
            peer = self._peers.get(asked.client)
            return [peer] if peer is not None else []
        return self._peers.values()

    def _held(self, peer: Peer, *, whole: bool) -> ask.HeldConnection:
        connection = peer.connection
        held = sorted(connection.subscriptions.values(), key=lambda sub: sub.channel)
        return ask.HeldConnection(
            hub=self._hub,
            client=connection.client,
            user=connection.user,
            session=connection.session,
            state=connection.state.value,
            transport=peer.socket.wire.name,
            name=connection.name,
            version=connection.version,
            opened_ms=peer.opened_ms,
            expires_at=connection.expires_at,
            queue_bytes=peer.socket.queued,
            commands=connection.commands,
            channel_count=len(held),
            channels=[self._channel(sub) for sub in (held if whole else held[: ask.CHANNELS_SHOWN])],
            traced=peer.tap is not None,
            frames=self._frames(peer) if whole else [],
            info=connection.info.conn_info,
        )

    def _frames(self, peer: Peer) -> list[dict[str, Any]]:
        if peer.tap is not None:
            return [dict(frame) for frame in peer.tap.frames]
        connection = peer.connection
        frames = peer.recent or ()
        return self._recent.shown(frames, peer.socket.wire.codec, client=connection.client, user=connection.user)

    def _channel(self, sub: Subscription) -> ask.HeldChannel:
        channel = self._channels.find(sub.channel)
        return ask.HeldChannel(
            sub.channel,
            sub.state.value,
            sub.server_side,
            sub.features.positioned,
            sub.expires_at,
            channel.epoch if channel is not None else "",
            channel.offset if channel is not None else 0,
        )

    def _rules(self) -> ask.NamespacesReport:
        namespaces = self._env.namespaces
        return ask.NamespacesReport(
            self._hub,
            namespaces.version,
            {name: written(namespaces.get(name)) for name in namespaces.names},
            list(self._env.mistakes()),
        )

    def _ended(self, asked: ask.AskEndings) -> ask.EndingPage:
        found: list[ask.Ending] = []
        limit = min(asked.limit, ask.PAGE_MAX)
        for ending, frames, codec in reversed(self._endings):
            if len(found) >= limit:
                break
            if asked.user not in (None, ending.user) or asked.client not in ("", ending.client):
                continue
            if asked.client:
                shown = self._recent.shown(frames, codec, client=ending.client, user=ending.user)
                found.append(msgspec.structs.replace(ending, frames=shown))
            else:
                found.append(ending)
        return ask.EndingPage(found)


def _meets(peer: Peer, asked: ask.AskConnections) -> bool:
    connection = peer.connection
    return (
        asked.user in (None, connection.user)
        and asked.session in ("", connection.session)
        and (not asked.channel or asked.channel in connection.subscriptions)
    )


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except OSError:
        # No /proc here: the peak is the next best thing.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
