"""The shard's end of a link: one bounded, ordered stream per client process.

Everything a shard tells a process goes through its `ClientStream`, so results and publications cannot race
(DESIGN §5, 1). The reader is a long poll whose cursor is (incarnation, sequence): a position that this incarnation
never gave out is answered with a reset at once, because waiting for it would wait for ever (rule 2).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec
import structlog

from actors.links.frames import Accepted, Batch, Poll, Submit

POLL_LIMIT_S: Final = 10.0
"""A poll is answered, if need be empty, after this: a client knows by then whether the shard lives."""

REPLY_BYTES: Final = 90_000
"""Items per reply end here: above 100 KB Ray moves a result through its object store, which is slower (rule 3)."""

QUEUE_BYTES: Final = 4 * 1024 * 1024
"""Droppable items kept for a client that does not read; beyond it they become one gap mark per channel (rule 3)."""

ABANDON_BYTES: Final = 4 * QUEUE_BYTES
"""With even the undroppable items beyond this, the client loses its session and starts anew."""

LEASE_S: Final = 15.0
"""A client that has not polled for this long is gone. More than a poll's limit, less than a person's patience."""

T = TypeVar("T")

logger = structlog.get_logger(__name__)


class ClientStream:
    """What one session of one process has not read yet.

    Items are encoded once by the owner and shared between streams. An item pushed with a `channel` may be dropped when
    the client is too slow; the channel is then marked: `encode_gap(channel)` follows everything that was kept. Sequence
    numbers only grow, so a reply that was lost on its way can be asked for again after an overflow too.
    """

    __slots__ = (
        "_droppable",
        "_encode_gap",
        "_items",
        "_kept",
        "_limit_bytes",
        "accepted",
        "boot",
        "held_back",
        "last_seen",
        "lost",
        "moved",
        "overflows",
        "reading",
        "seen",
        "session",
        "top",
        "trimmed",
        "waiter",
    )

    def __init__(
        self, boot: str, session: int, encode_gap: Callable[[str], bytes], now: float, limit_bytes: int = QUEUE_BYTES
    ) -> None:
        self.boot = boot
        self.session = session
        self.top = 0
        """Sequence of the newest item."""
        self.trimmed = 0
        """The client has everything up to here."""
        self.accepted = 0
        """Sequence of the last submit that was applied."""
        self.overflows = 0
        self.seen = 0
        """Up to where the client had read this stream when it sent what is being applied."""
        self.moved: dict[int, int] = {}
        """Whatever is keyed by the owner → sequence of the mark that it went elsewhere (`brokers.ownership`)."""
        self.held_back: dict[Any, Any] = {}
        """What its owner carries out once the client has read more (`brokers.pacing`)."""
        self.reading = 0
        """Answers that are being read for it elsewhere."""
        self.last_seen = now
        self.lost = False
        self.waiter: asyncio.Future[None] | None = None
        self._items: deque[tuple[int, bytes, str | None, bool]] = deque()
        self._droppable = 0
        self._kept = 0
        self._encode_gap = encode_gap
        self._limit_bytes = limit_bytes

    @property
    def size(self) -> int:
        """Size of what is queued."""
        return self._droppable + self._kept

    @property
    def kept(self) -> int:
        """Size of what is queued and cannot be dropped."""
        return self._kept

    def push(self, item: bytes, channel: str | None = None) -> None:
        """Append one encoded item and wake the reader."""
        self.top += 1
        if channel is None:
            self._kept += len(item)
            self._items.append((self.top, item, None, False))
            self.lost = self.lost or self._kept > ABANDON_BYTES
        else:
            self._droppable += len(item)
            self._items.append((self.top, item, channel, True))
            if self._droppable > self._limit_bytes:
                self._overflow()
        if self.waiter is not None:
            self.wake()

    def wake(self) -> None:
        """Let the waiting poll answer with what there is."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def trim(self, cursor: int) -> bool:
        """Forget what the client has, up to `cursor`. False when that is no position of this stream (any more)."""
        if not self.trimmed <= cursor <= self.top:
            return False
        items = self._items
        while items and items[0][0] <= cursor:
            _, item, _, droppable = items.popleft()
            if droppable:
                self._droppable -= len(item)
            else:
                self._kept -= len(item)
        self.trimmed = cursor
        return True

    def take(self, limit_bytes: int = REPLY_BYTES) -> tuple[int, list[bytes]]:
        """The oldest items that fit one reply, at least one if there is any, and the cursor after them.

        They stay until `trim`.
        """
        taken: list[bytes] = []
        size = 0
        cursor = self.trimmed
        for sequence, item, _, _ in self._items:
            size += len(item)
            if taken and size > limit_bytes:
                break
            taken.append(item)
            cursor = sequence
        return cursor, taken

    def _overflow(self) -> None:
        kept: deque[tuple[int, bytes, str | None, bool]] = deque()
        marked: dict[str, None] = {}
        for entry in self._items:
            if entry[2] is None:
                kept.append(entry)
            else:
                # An older mark moves to the end too: its repair may already be answered, short of what is dropped now.
                marked[entry[2]] = None
        for channel in marked:
            self.top += 1
            kept.append((self.top, self._encode_gap(channel), channel, False))
        self._items = kept
        self._droppable = 0
        self._kept = sum(len(entry[1]) for entry in kept)
        self.overflows += 1
        self.lost = self.lost or self._kept > ABANDON_BYTES


class StreamServer(Generic[T]):
    """All client streams of one shard incarnation.

    `apply(stream, operations)` runs synchronously for each accepted submit. `on_attach(stream, previous)` is told of a
    new session and what it replaces, `on_expire(stream)` of one whose lease ran out, `on_read(stream)` of a client that
    has read on, where something is held back for it.
    """

    def __init__(
        self,
        incarnation: str,
        submit_type: Any,
        *,
        apply: Callable[[ClientStream, list[T]], None],
        encode_gap: Callable[[str], bytes],
        on_attach: Callable[[ClientStream, ClientStream | None], None] | None = None,
        on_expire: Callable[[ClientStream], None] | None = None,
        on_read: Callable[[ClientStream], None] | None = None,
        poll_limit_s: float = POLL_LIMIT_S,
        lease_s: float = LEASE_S,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.incarnation = incarnation
        self.clients: dict[str, ClientStream] = {}
        self._apply = apply
        self._encode_gap = encode_gap
        self._on_attach = on_attach
        self._on_expire = on_expire
        self._on_read = on_read
        self._poll_limit_s = poll_limit_s
        self._lease_s = lease_s
        self._queue_bytes = queue_bytes
        self._submits: msgspec.msgpack.Decoder[Submit[T]] = msgspec.msgpack.Decoder(submit_type)
        self._singly: msgspec.msgpack.Decoder[Submit[msgspec.Raw]] = msgspec.msgpack.Decoder(Submit[msgspec.Raw])
        self._operations: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(get_args(submit_type)[0])
        self._polls = msgspec.msgpack.Decoder(Poll)
        self._encoder = msgspec.msgpack.Encoder()
        self._closed = False

    async def poll(self, payload: bytes) -> bytes:
        """Answer one long poll (`frames.Poll` → `frames.Batch`)."""
        ask = self._polls.decode(payload)
        loop = asyncio.get_running_loop()
        if not ask.incarnation:
            return self._attach(ask, loop.time())
        stream = self._stream(ask.boot, ask.session, ask.incarnation)
        if stream is None:
            return self._batch(0, reset=True)
        stream.last_seen = loop.time()
        # The newest poll wins: an older one belongs to a call that its client has given up.
        stream.wake()
        if not stream.trim(ask.cursor):
            # Not dropped: the asker may be an old poll, delivered late, whose client has read on since.
            return self._batch(0, reset=True)
        if stream.held_back and self._on_read is not None:
            self._on_read(stream)
        if stream.top == ask.cursor:
            waiter: asyncio.Future[None] = loop.create_future()
            stream.waiter = waiter
            timer = loop.call_later(self._poll_limit_s, stream.wake)
            try:
                await waiter
            finally:
                timer.cancel()
                if stream.waiter is waiter:
                    stream.waiter = None
            if self.clients.get(stream.boot) is not stream:
                return self._batch(0, reset=True)
        cursor, items = stream.take()
        return self._batch(cursor, items=items)

    async def submit(self, payload: bytes) -> bytes:
        """Apply one submit once (`frames.Submit` → `frames.Accepted`)."""
        submit = self._decode(payload)
        stream = self._stream(submit.boot, submit.session, submit.incarnation)
        if stream is None or submit.sequence > stream.accepted + 1:
            return self._encoder.encode(Accepted(self.incarnation, 0, reset=True))
        stream.last_seen = asyncio.get_running_loop().time()
        if submit.sequence == stream.accepted + 1:
            stream.accepted = submit.sequence
            stream.seen = submit.seen
            self._apply(stream, submit.items)
        return self._encoder.encode(Accepted(self.incarnation, stream.accepted, reset=False))

    def _decode(self, payload: bytes) -> Submit[T]:
        try:
            return self._submits.decode(payload)
        except msgspec.DecodeError:
            # Its client would send the same again and again: an operation of no known form is left out.
            raw = self._singly.decode(payload)
        items: list[T] = []
        for item in raw.items:
            try:
                items.append(self._operations.decode(item))
            except msgspec.DecodeError as reason:
                logger.warning("operation cannot be decoded", boot=raw.boot, reason=str(reason))
        return Submit(raw.boot, raw.session, raw.incarnation, raw.sequence, items, raw.seen)

    def expire(self, now: float) -> list[ClientStream]:
        """End the sessions whose clients have been silent for a lease; called by the shard's clock."""
        gone = [s for s in self.clients.values() if now - s.last_seen > self._lease_s]
        for stream in gone:
            self._drop(stream)
        return gone

    def close(self) -> None:
        """Answer every waiting poll, so that clients notice at once, and take nobody on any more."""
        self._closed = True
        streams = list(self.clients.values())
        self.clients.clear()
        for stream in streams:
            stream.wake()

    def _stream(self, boot: str, session: int, incarnation: str) -> ClientStream | None:
        stream = self.clients.get(boot)
        if incarnation != self.incarnation or stream is None or stream.session != session:
            return None
        if stream.lost:
            self._drop(stream)
            return None
        return stream

    def _attach(self, ask: Poll, now: float) -> bytes:
        previous = self.clients.get(ask.boot)
        if self._closed or (previous is not None and previous.session > ask.session):
            return self._batch(0, reset=True)
        if previous is None or previous.session < ask.session:
            stream = ClientStream(ask.boot, ask.session, self._encode_gap, now, self._queue_bytes)
            self.clients[ask.boot] = stream
            if previous is not None:
                previous.wake()
            if self._on_attach is not None:
                self._on_attach(stream, previous)
        else:
            previous.last_seen = now
        return self._batch(0)

    def _drop(self, stream: ClientStream) -> None:
        if self.clients.get(stream.boot) is stream:
            del self.clients[stream.boot]
            stream.wake()
            if self._on_expire is not None:
                self._on_expire(stream)

    def _batch(self, cursor: int, *, reset: bool = False, items: Iterable[bytes] = ()) -> bytes:
        raw = [msgspec.Raw(item) for item in items]
        return self._encoder.encode(Batch(self.incarnation, cursor, reset, raw))
