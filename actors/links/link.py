"""A process's end of a link: operations up, the ordered stream down, over calls that may fail in every way.

Transport-neutral: `call(method, payload, timeout_s)` is a Ray actor call in production and a simulation in tests. It
may raise, hang until its deadline, be executed twice or be executed by a later incarnation; the link turns all of that
into an ordered stream, or into a reset that says so.
"""

import asyncio
import itertools
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog

from actors.links.frames import Accepted, Batch, Poll, Submit
from actors.links.incarnations import is_older
from actors.links.stream import POLL_LIMIT_S

SUBMIT_DEADLINE_S: Final = 2.0
"""A shard that has not accepted a submit by then is suspect: a stopped process neither answers nor fails (rule 2)."""

POLL_DEADLINE_S: Final = POLL_LIMIT_S + 3.0
ATTACH_DEADLINE_S: Final = 2.0

BUFFER_BYTES: Final = 8 * 1024 * 1024
BUFFER_AGE_S: Final = 2.0
"""Bounds of what waits to be sent (rule 3): beyond the first, refused (111); beyond the second, failed (100)."""

MUST_BYTES: Final = 2 * BUFFER_BYTES
"""Bound of what must arrive and waits for a shard that does not answer, beside twice what a new stream begins with: so
much says less than a new stream would."""

SUBMIT_BYTES: Final = 80_000
"""Operations per submit end here: above 100 KB Ray moves an argument through its object store."""

NEWEST_COUNTS_S: Final = 15.0
BACKOFF_FIRST_S: Final = 0.05
BACKOFF_LIMIT_S: Final = 1.0

logger = structlog.get_logger(__name__)

Up = TypeVar("Up")
Down = TypeVar("Down")


Call = Callable[[str, bytes, float], Awaitable[bytes]]
"""(method, payload, timeout_s) → what the shard answers; raises on any failure, at our own deadline at the latest."""


class LinkFull(Exception):
    """The up-buffer is full: the caller must slow down (error 111)."""


@dataclass(slots=True)
class _Waiting(Generic[Up]):
    operation: Up
    size: int
    since: float
    may_expire: bool


class Link(Generic[Up, Down]):
    """One process's connection to one shard.

    `on_items(items)` runs synchronously for each batch of the stream. `on_attached(unsent)` runs when a new stream has
    begun (first start, shard restarted, lease lost): everything that this process had registered is forgotten up there,
    `unsent` is what was never sent, and what was sent and not answered may or may not have happened. `on_expired(ops)`
    names operations that waited too long to be sent, `on_unsendable(ops)` those that msgpack cannot encode.
    """

    def __init__(
        self,
        boot: str,
        call: Call,
        batch_type: Any,
        *,
        on_items: Callable[[list[Down]], None],
        on_attached: Callable[[Sequence[Up]], None],
        on_expired: Callable[[Sequence[Up]], None],
        on_unsendable: Callable[[Sequence[Up]], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.boot = boot
        self.suspect = False
        """The last call did not come back. Cleared by the next answer."""
        self.incarnation = ""
        self.polled_at = float("-inf")
        """When the last poll came back, on the event loop's clock: everything sent before then has arrived."""
        self._call = call
        self._on_items = on_items
        self._on_attached = on_attached
        self._on_expired = on_expired
        self._on_unsendable = on_unsendable
        self._jitter = jitter
        self._batches: msgspec.msgpack.Decoder[Batch[Down]] = msgspec.msgpack.Decoder(batch_type)
        self._answers = msgspec.msgpack.Decoder(Accepted)
        self._encoder = msgspec.msgpack.Encoder()
        self._session = itertools.count(1)
        self._current = 0
        self._cursor = 0
        self._abandoned: deque[str] = deque(maxlen=16)
        self._newest = ""
        self._newest_at = float("-inf")
        self._waiting: deque[_Waiting[Up]] = deque()
        self._waiting_bytes = 0
        self._must_bytes = 0
        """Of what waits and may not expire."""
        self._beginning_bytes = 0
        """What `on_attached` had to say last."""
        self._sequence = 0
        self._in_flight: bytes | None = None
        self._something_to_send = asyncio.Event()
        self._attached = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def session(self) -> int:
        """The number of the stream: every new one has a higher number."""
        return self._current

    @property
    def attached(self) -> bool:
        """Whether a stream exists."""
        return self._attached.is_set()

    async def start(self) -> None:
        """Begin to read and to send, for as long as it takes to reach the shard."""
        self._begin_reading()
        self._begin_writing()

    async def stop(self) -> None:
        """End both directions. What was not sent is dropped silently: the process is going away."""
        if self._expiry is not None:
            self._expiry.cancel()
        tasks = [task for task in (self._reader, self._writer) if task is not None]
        self._reader = self._writer = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin_reading(self) -> None:
        self._reader = asyncio.create_task(self._read(), name=f"link-read-{self.boot}")
        self._reader.add_done_callback(self._on_ended)

    def _begin_writing(self) -> None:
        self._writer = asyncio.create_task(self._write(), name=f"link-write-{self.boot}")
        self._writer.add_done_callback(self._on_ended)

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        """A direction that ends by itself has a fault of ours: attach anew, or the link would live and be deaf."""
        if task.cancelled() or task not in (self._reader, self._writer):
            return
        logger.error("link direction ended", boot=self.boot, task=task.get_name(), exc_info=task.exception())
        self._detach(self.incarnation)
        if self._reader is not None:
            self._reader.cancel()
        self._begin_reading()
        if task is self._writer:
            self._begin_writing()

    async def wait_attached(self) -> None:
        """Return when the stream exists."""
        await self._attached.wait()

    def send(self, operation: Up, size: int, *, may_expire: bool = True) -> None:
        """Queue one operation. Raises LinkFull when an expirable one finds the buffer full.

        While the shard does not answer, what may not expire is given up when there is too much of it: a new stream is
        begun instead, where `on_attached` says everything that still holds.
        """
        if may_expire:
            if self._waiting_bytes + size > BUFFER_BYTES:
                raise LinkFull
        else:
            answers = self.attached and not self.suspect
            if not answers and self._must_bytes + size > MUST_BYTES + 2 * self._beginning_bytes:
                self._begin_anew()
            self._must_bytes += size
        self._waiting.append(_Waiting(operation, size, asyncio.get_running_loop().time(), may_expire))
        self._waiting_bytes += size
        self._something_to_send.set()
        if self._expiry is None:
            self._arm_expiry(BUFFER_AGE_S)

    def withdraw(self, matches: Callable[[Up], bool]) -> list[Up]:
        """Take back what has not been sent yet."""
        kept: deque[_Waiting[Up]] = deque()
        withdrawn: list[Up] = []
        for waiting in self._waiting:
            if matches(waiting.operation):
                withdrawn.append(waiting.operation)
            else:
                kept.append(waiting)
        self._keep(kept)
        return withdrawn

    def _keep(self, waiting: deque[_Waiting[Up]]) -> None:
        self._waiting = waiting
        self._waiting_bytes = sum(each.size for each in waiting)
        self._must_bytes = sum(each.size for each in waiting if not each.may_expire)

    def _begin_anew(self) -> None:
        """Give up what must arrive, and with it the stream that would lack it."""
        logger.warning("link begins anew", boot=self.boot, waiting=len(self._waiting), bytes=self._must_bytes)
        self._keep(deque(waiting for waiting in self._waiting if waiting.may_expire))
        if self.attached:
            self._detach(self.incarnation)
            if self._reader is not None:
                self._reader.cancel()
                self._begin_reading()

    # Down -------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        failures = 0
        while True:
            try:
                if not self.incarnation:
                    await self._attach()
                else:
                    await self._poll_once()
                failures = 0
                self.suspect = False
            except asyncio.CancelledError:
                raise
            except Exception as reason:
                self._note_failure("poll", reason)
                await self._back_off(failures)
                failures += 1

    async def _attach(self) -> None:
        self._current = next(self._session)
        ask = self._encoder.encode(Poll(self.boot, self._current, "", 0))
        batch = self._batches.decode(await self._call("poll", ask, ATTACH_DEADLINE_S))
        self._refuse_older(batch.incarnation)
        if batch.reset:
            # It is stopping, or knows a later session of ours.
            raise ConnectionError(f"shard incarnation {batch.incarnation!r} does not take us")
        self.incarnation = batch.incarnation
        self._cursor = batch.cursor
        self.polled_at = asyncio.get_running_loop().time()
        self._sequence = 0
        self._in_flight = None
        unsent = [waiting.operation for waiting in self._waiting]
        self._keep(deque())
        self._attached.set()
        if self._writer is not None:
            # It may be waiting for a call to the last incarnation that will never answer.
            self._writer.cancel()
            self._begin_writing()
        logger.info("link attached", boot=self.boot, session=self._current, incarnation=self.incarnation)
        self._beginning_bytes = sys.maxsize  # however much it is: to begin anew again would not make it less
        self._deliver(self._on_attached, unsent)
        self._beginning_bytes = self._must_bytes

    async def _poll_once(self) -> None:
        session, incarnation = self._current, self.incarnation
        ask = self._encoder.encode(Poll(self.boot, session, incarnation, self._cursor))
        answer = await self._call("poll", ask, POLL_DEADLINE_S)
        if self.incarnation != incarnation or self._current != session:
            return
        batch = self._batches.decode(answer)
        self._refuse_older(batch.incarnation)
        if batch.reset or batch.incarnation != incarnation:
            self._detach(batch.incarnation)
            return
        self._cursor = batch.cursor
        self.polled_at = asyncio.get_running_loop().time()
        if batch.items:
            self._deliver(self._on_items, batch.items)

    def _refuse_older(self, incarnation: str) -> None:
        """A process that was replaced says nothing about the one that we are attached to (rule 7).

        Only while the newer one was heard of lately: a clock that went back must not shut a shard out for ever.
        """
        now = asyncio.get_running_loop().time()
        if is_older(incarnation, self._newest) and now - self._newest_at < NEWEST_COUNTS_S:
            raise ConnectionError(f"shard incarnation {incarnation!r} is older than {self._newest!r}")
        if incarnation in self._abandoned:
            raise ConnectionError(f"shard incarnation {incarnation!r} was abandoned")
        self._newest, self._newest_at = incarnation, now

    def _deliver(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            callback(argument)
        except Exception:
            # A fault of the owner must not end the stream for everybody else on it.
            logger.exception("link callback failed", boot=self.boot)

    def _detach(self, answered_by: str) -> None:
        """The stream is gone. `answered_by` differs from ours when another incarnation has taken over."""
        if self.incarnation and answered_by != self.incarnation:
            self._abandoned.append(self.incarnation)
        self.incarnation = ""
        self._attached.clear()

    # Up ---------------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        failures = 0
        while True:
            await self._attached.wait()
            if self._in_flight is None and not self._fill():
                self._something_to_send.clear()
                await self._something_to_send.wait()
                continue
            try:
                await self._submit_once()
                failures = 0
                self.suspect = False
            except asyncio.CancelledError:
                raise
            except Exception as reason:
                self._note_failure("submit", reason)
                await self._back_off(failures)
                failures += 1

    def _fill(self) -> bool:
        operations: list[Up] = []
        size = 0
        while self._waiting and (not operations or size + self._waiting[0].size <= SUBMIT_BYTES):
            waiting = self._waiting.popleft()
            size += waiting.size
            operations.append(waiting.operation)
            if not waiting.may_expire:
                self._must_bytes -= waiting.size
        if not operations:
            return False
        self._waiting_bytes -= size
        try:
            self._in_flight = self._encode(operations)
        except Exception:
            # A number beyond 64 bits, half of a surrogate pair: only the operation that has it fails.
            self._in_flight = self._encode([op for op in operations if self._may_be_sent(op)])
        self._sequence += 1
        return True

    def _encode(self, operations: list[Up]) -> bytes:
        number = self._sequence + 1
        return self._encoder.encode(
            Submit(self.boot, self._current, self.incarnation, number, operations, self._cursor)
        )

    def _may_be_sent(self, operation: Up) -> bool:
        try:
            self._encoder.encode(operation)
        except Exception as reason:
            logger.warning("operation cannot be encoded", operation=type(operation).__name__, reason=repr(reason))
            self._deliver(self._on_unsendable, [operation])
            return False
        return True

    async def _submit_once(self) -> None:
        session, payload = self._current, self._in_flight
        if payload is None:
            return
        answer = self._answers.decode(await self._call("submit", payload, SUBMIT_DEADLINE_S))
        if self._current != session or not self.attached:
            return
        self._refuse_older(answer.incarnation)
        if answer.reset or answer.incarnation != self.incarnation:
            self._detach(answer.incarnation)
            if self._reader is not None:
                # Its poll may be held by a process that no longer counts.
                self._reader.cancel()
                self._begin_reading()
        elif answer.sequence == self._sequence:
            self._in_flight = None

    def _arm_expiry(self, delay_s: float) -> None:
        self._expiry = asyncio.get_running_loop().call_later(delay_s, self._expire)

    def _expire(self) -> None:
        """Drop what has waited too long while the shard did not take it."""
        self._expiry = None
        limit = asyncio.get_running_loop().time() - BUFFER_AGE_S
        expired: list[Up] = []
        if self._waiting and self._waiting[0].since <= limit:
            keep: deque[_Waiting[Up]] = deque()
            for waiting in self._waiting:
                if waiting.may_expire and waiting.since <= limit:
                    expired.append(waiting.operation)
                    self._waiting_bytes -= waiting.size
                else:
                    keep.append(waiting)
            self._waiting = keep
        if self._waiting:
            self._arm_expiry(max(0.25, self._waiting[0].since - limit))
        if expired:
            self._deliver(self._on_expired, expired)

    # Both -------------------------------------------------------------------------------------------------------------

    def _note_failure(self, what: str, reason: Exception) -> None:
        if not self.suspect:
            logger.warning("link suspect", boot=self.boot, call=what, reason=repr(reason))
        self.suspect = True

    async def _back_off(self, failures: int) -> None:
        limit = min(BACKOFF_LIMIT_S, BACKOFF_FIRST_S * 2 ** min(failures, 10))
        await asyncio.sleep(limit * (0.5 + 0.5 * self._jitter()))
