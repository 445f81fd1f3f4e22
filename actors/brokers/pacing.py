"""What asks for much waits until its process has read what was answered before.

An answer cannot be dropped as a publication can, and a process that leaves too much unread loses its stream, with all
subscriptions of all its clients (`actors.links.stream.ABANDON_BYTES`). One client with a few large questions must not
do that to the others, nor many that come back at once to each other: they would ask again, and lose it again. So beyond
a bound they wait, in order, and go on as the process reads.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from actors.brokers import answers
from actors.brokers.contract import BrokerError
from actors.brokers.operations import (
    Channels,
    History,
    MapRead,
    MapSubscribe,
    Operation,
    Presence,
    Repair,
    Subscribe,
    Unsubscribe,
)
from actors.brokers.ownership import HELD_WITHIN_S
from actors.brokers.poll_wire import PollClaim
from actors.brokers.recovery import ANSWER_BYTES
from actors.brokers.table import Handler
from actors.links.stream import ClientStream

UNREAD_BYTES: Final = 6 * 1024 * 1024
"""Answers that a process has not read, or that are being read for it: one more stays far below what ends its stream."""

LARGE: Final = (Subscribe, MapSubscribe, Repair, History, Presence, Channels, MapRead, PollClaim)


@dataclass(slots=True)
class _Waiting:
    op: Operation
    seen: int
    since: float


class Pacing:
    """Holds back, per stream. `carry_out(stream, op, seen)`: decide about an operation as if it had just come."""

    def __init__(self, carry_out: Callable[[ClientStream, Operation, int], None]) -> None:
        self._carry_out = carry_out
        self._due: Operation | None = None

    def paced(self, handlers: Mapping[type, Handler]) -> dict[type, Handler]:
        """The same handlers, those for what may ask for much in their turn."""
        paced: dict[type, Handler] = {kind: self._in_turn(handlers[kind]) for kind in LARGE}
        return {**handlers, **paced, Unsubscribe: self._giving_up(handlers[Unsubscribe])}

    async def _read(self, stream: ClientStream, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            stream.reading -= 1
        # Not when the shard ends: what is carried out may begin to read.
        self.release(stream)

    def reading(self, stream: ClientStream, work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """`work` reads an answer from the database: count it as unread from now on."""
        stream.reading += 1
        return self._read(stream, work)

    def release(self, stream: ClientStream) -> None:
        """Go on with what waits, as far as there is room."""
        while stream.held_back and not _is_full(stream):
            waiting = stream.held_back.pop(next(iter(stream.held_back)))
            self._due = waiting.op
            try:
                self._carry_out(stream, waiting.op, waiting.seen)
            finally:
                self._due = None

    def given_up(self, stream: ClientStream, operations: Iterable[Operation]) -> None:
        """Subscriptions among those that wait are not wanted any more."""
        for op in operations:
            if isinstance(op, Unsubscribe):
                stream.held_back.pop((op.channel, op.subscription), None)

    def check(self, streams: Iterable[ClientStream], now: float) -> None:
        """Answer what has waited too long: its sender waits no longer. Nobody else asks for what a channel missed."""
        for stream in streams:
            for key, waiting in list(stream.held_back.items()):
                if waiting.since < now - HELD_WITHIN_S and not isinstance(waiting.op, Repair):
                    del stream.held_back[key]
                    answers.refuse(stream, waiting.op, BrokerError(100, "the process has not read what came before"))
            self.release(stream)

    def _in_turn(self, handler: Handler) -> Handler:
        def take(stream: ClientStream, op: Any) -> None:
            if (stream.held_back or _is_full(stream)) and op is not self._due and _asks_for_much(op):
                now = asyncio.get_running_loop().time()
                stream.held_back[_key(op)] = _Waiting(op, stream.seen, now)
            else:
                handler(stream, op)

        return take

    def _giving_up(self, handler: Handler) -> Handler:
        def take(stream: ClientStream, op: Unsubscribe) -> None:
            self.given_up(stream, [op])
            handler(stream, op)

        return take


def _is_full(stream: ClientStream) -> bool:
    return stream.kept + stream.reading * ANSWER_BYTES > UNREAD_BYTES


def _asks_for_much(op: Any) -> bool:
    if isinstance(op, Subscribe):
        return op.recover
    return op.full if isinstance(op, Presence) else True


def _key(op: Any) -> Any:
    if isinstance(op, Subscribe | MapSubscribe):
        return op.channel, op.subscriber.subscription
    return op.channel if isinstance(op, Repair) else op.request
