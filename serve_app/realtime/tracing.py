"""Live traces: what the connections of one user, one connection or one channel send and are sent.

A trace is an order to every realtime process. Each publishes what it sees to the channel `trace:<id>`, in batches,
until the time or the number of frames is used up. A process that starts later asks the others what is traced.
Connections and channels that nobody traces carry an empty slot and nothing else.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from actors.brokers import contract
from actors.brokers.contract import BrokerClient, BrokerError
from actors.sessions.contract import SessionClient, SessionsUnreachable
from serve_app.realtime import questions
from serve_app.realtime.channels import Channels
from serve_app.realtime.peer import Peer
from serve_app.realtime.questions import FRAMES_MAX, SECONDS_MAX, TRACE_PREFIX, StartTrace, TraceReport
from serve_app.realtime.taps import ChannelTap, Tap

TRACES_MAX: Final = 8
"""At the same time in one process."""

FLUSH_S: Final = 0.25
BATCH_BYTES: Final = 60_000
WAITING_BYTES: Final = 4 * BATCH_BYTES
"""What a trace may have waiting to be published; beyond it events are dropped, and counted."""

CATCH_UP_TRIES: Final = 20
CATCH_UP_AGAIN_S: Final = 1.0
"""A process that starts asks until all have answered: longer than one that died is taken for alive."""

ENDED_REMEMBERED: Final = 100

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Trace:
    order: StartTrace
    frames_left: int
    timer: asyncio.TimerHandle
    events: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    dropped: int = 0
    publishing: asyncio.Task[None] | None = None
    """One at a time, so that events stay in order."""


class Tracer:
    """The traces of one process."""

    def __init__(self, hub: str, peers: Mapping[str, Peer], channels: Channels, wall: Callable[[], float]) -> None:
        self._hub = hub
        self._peers = peers
        self._channels = channels
        self._wall = wall
        self._traces: dict[str, _Trace] = {}
        self._channel_taps: dict[str, ChannelTap] = {}
        channels.taps = self._channel_taps
        self._flushing: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: deque[str] = deque(maxlen=ENDED_REMEMBERED)
        """Traces that must not begin again here by word of somebody who had not heard of their end."""
        self._catching_up: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop
        self._brokers: BrokerClient

    def start(self, loop: asyncio.AbstractEventLoop, brokers: BrokerClient, sessions: SessionClient) -> None:
        """Publish through these brokers; take part in the traces that are under way."""
        self._loop, self._brokers = loop, brokers
        self._catching_up = loop.create_task(self._catch_up(sessions), name="traces")

    async def stop(self) -> None:
        """End every trace."""
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
        for trace in list(self._traces):
            self.end(trace, "shutdown")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def active(self) -> bool:
        """Whether anything is traced."""
        return bool(self._traces)

    async def _catch_up(self, sessions: SessionClient) -> None:
        """Ask what is traced. This process is known by then, so a trace that starts meanwhile is ordered here too."""
        for _ in range(CATCH_UP_TRIES):
            try:
                survey = await questions.ask(sessions, questions.AskTraces(), questions.TracePage)
            except SessionsUnreachable:
                await asyncio.sleep(CATCH_UP_AGAIN_S)
                continue
            for report in (report for page in survey.answers for report in page.traces):
                self.begin(report.order, report.seconds_left)
            if not survey.silent:
                return
            await asyncio.sleep(CATCH_UP_AGAIN_S)

    # Orders

    def begin(self, order: StartTrace, seconds_left: float | None = None) -> bool:
        """Trace from now on; False when too much is traced already, or the trace has ended."""
        if order.id in self._traces:
            return True
        if order.id in self._ended:
            return False
        if len(self._traces) >= TRACES_MAX:
            return False
        seconds = min(max(order.seconds, 1) if seconds_left is None else seconds_left, SECONDS_MAX)
        timer = self._loop.call_later(seconds, self.end, order.id, "time")
        self._traces[order.id] = _Trace(order, min(max(order.frames, 1), FRAMES_MAX), timer)
        if order.channel:
            tap = self._channel_taps.setdefault(order.channel, ChannelTap(order.channel, self._note))
            tap.traces.add(order.id)
            channel = self._channels.find(order.channel)
            if channel is not None:
                channel.tap = tap
        else:
            for peer in self._peers.values():
                if _is_meant(order, peer):
                    self._tap(peer, order.id)
        return True

    def end(self, trace_id: str, reason: str) -> bool:
        """Trace no more, and say so in the trace's channel; False when there is no such trace here."""
        if trace_id not in self._ended:
            self._ended.append(trace_id)
        trace = self._traces.pop(trace_id, None)
        if trace is None:
            return False
        trace.timer.cancel()
        channel_tap = self._channel_taps.get(trace.order.channel)
        if channel_tap is not None:
            channel_tap.traces.discard(trace_id)
            if not channel_tap.traces:
                del self._channel_taps[trace.order.channel]
                channel = self._channels.find(trace.order.channel)
                if channel is not None:
                    channel.tap = None
        for peer in self._peers.values():
            if peer.tap is not None:
                peer.tap.traces.discard(trace_id)
                if not peer.tap.traces:
                    self._channels.untap(peer)
                    peer.tap = None
        self._publish(trace, end=reason)
        return True

    def report(self) -> list[TraceReport]:
        """The traces that are under way."""
        return [
            TraceReport(
                self._hub,
                trace.order,
                trace.frames_left,
                sum(peer.tap is not None and trace.order.id in peer.tap.traces for peer in self._peers.values()),
                max(trace.timer.when() - self._loop.time(), 0.0),
            )
            for trace in self._traces.values()
        ]

    # What happens

    def connected(self, peer: Peer) -> None:
        """A connection has a user now."""
        for trace in self._traces.values():
            if not trace.order.channel and _is_meant(trace.order, peer):
                self._tap(peer, trace.order.id)

    def _tap(self, peer: Peer, trace_id: str) -> None:
        if peer.tap is None:
            connection = peer.connection
            peer.tap = Tap(connection.client, connection.user, peer.socket.wire.codec, self._note)
            self._channels.tap(peer)
        peer.tap.traces.add(trace_id)

    def _note(self, traces: set[str], event: Mapping[str, Any]) -> Mapping[str, Any]:
        timed = {"at": int(self._wall() * 1000), **event}
        text = orjson.dumps(timed)
        for trace_id in list(traces):
            trace = self._traces.get(trace_id)
            if trace is None:
                continue
            if trace.waiting_bytes + len(text) > WAITING_BYTES:
                trace.dropped += 1
            else:
                trace.events.append(text)
                trace.waiting_bytes += len(text) + 1
            trace.frames_left -= 1
            if trace.frames_left <= 0:
                # Its taps may be in use further up.
                trace.frames_left = 0
                self._loop.call_soon(self.end, trace_id, "frames")
        if self._flushing is None:
            self._flushing = self._loop.call_later(FLUSH_S, self._flush)
        return timed

    # Publishing

    def _flush(self) -> None:
        self._flushing = None
        for trace in self._traces.values():
            if not trace.events and not trace.dropped:
                continue
            if trace.publishing is None or trace.publishing.done():
                self._publish(trace)
            elif self._flushing is None:
                self._flushing = self._loop.call_later(FLUSH_S, self._flush)

    def _publish(self, trace: _Trace, end: str = "") -> None:
        head = {"type": "events", "node": self._hub, "dropped": trace.dropped}
        messages = [orjson.dumps(head)[:-1] + b',"events":[' + batch + b"]}" for batch in _batches(trace)]
        if end:
            messages.append(orjson.dumps({"type": "end", "node": self._hub, "reason": end}))
        trace.dropped = 0
        task = self._loop.create_task(self._publish_all(trace.order.id, messages, after=trace.publishing))
        trace.publishing = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish_all(self, trace_id: str, messages: Sequence[bytes], after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        for message in messages:
            try:
                await self._brokers.publish(contract.PublishRequest(TRACE_PREFIX + trace_id, message, uuid.uuid4().hex))
            except BrokerError as reason:
                logger.warning("trace_not_published", trace=trace_id, reason=str(reason))
                return


def _batches(trace: _Trace) -> list[bytes]:
    batches: list[bytes] = []
    part: list[bytes] = []
    size = 0
    while trace.events:
        event = trace.events.popleft()
        if part and size + len(event) > BATCH_BYTES:
            batches.append(b",".join(part))
            part, size = [], 0
        part.append(event)
        size += len(event) + 1
    if part:
        batches.append(b",".join(part))
    trace.waiting_bytes = 0
    return batches


def _is_meant(order: StartTrace, peer: Peer) -> bool:
    connection = peer.connection
    if order.client:
        return connection.client == order.client
    return bool(order.user) and connection.user == order.user
