"""Which buckets a shard owns right now, and what happens to operations for those that it does not (DESIGN §5, 5).

A bucket is owned, frozen (it is being moved away), arriving (it is being moved here), or somebody else's. An operation
for an owned bucket is carried out, one for a frozen or arriving bucket waits, and any other is answered with a mark,
`Moved`, on the stream of its sender. The mark is the last thing that a stream says of a bucket: whoever reads it sends
again, to the new owner, everything for that bucket that was not answered before. So an operation that was sent before
its sender read the mark is none of ours, even if the bucket came back meanwhile; each submit says up to where its
sender had read.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from actors.brokers.items import Moved
from actors.brokers.operations import Operation, Unsubscribe
from actors.brokers.wire import encode
from actors.links.placement import bucket_of
from actors.links.stream import ClientStream

ARRIVES_WITHIN_S: Final = 1.5
"""A bucket that was announced and of which nothing came for so long begins without what the last owner had in memory:
before those who wait for it give up."""

HELD_WITHIN_S: Final = 2.5
"""How long an operation waits for a move: less than its sender waits for it."""


@dataclass(slots=True)
class Held:
    """An operation that waits until its bucket's owner is known."""

    stream: ClientStream
    op: Any
    seen: int
    since: float


class Ownership:
    """The buckets of one shard. `locate(buckets)` is asked for owners that are not known."""

    def __init__(self, shard: int, owned: Iterable[int]) -> None:
        self.shard = shard
        self.owned: set[int] = set(owned)
        """Until the database has answered, what is dealt to this shard by its number."""
        self.known = False
        """The database has answered, or cannot be reached: then memory channels go on with what is dealt."""
        self.frozen: set[int] = set()
        self.arriving: dict[int, float] = {}
        """Bucket → until when it is waited for."""
        self.elsewhere: dict[int, int] = {}
        """Bucket → the shard that has it, as far as we know."""
        self.lost: set[int] = set()
        """Buckets that we took for ours until the database said otherwise."""
        self.locate: Callable[[], None] = lambda: None
        self.refuse: Callable[[ClientStream, Any], None] = lambda stream, op: None
        self.carry_out: Callable[[ClientStream, list[Any]], None] = lambda stream, ops: None
        self._held: dict[int, list[Held]] = {}

    @property
    def settled(self) -> set[int]:
        """Buckets that are ours and stay. Outbox rows of those that go are left to the next owner: it has the fence."""
        return self.owned - self.frozen - self.arriving.keys()

    def admits(self, stream: ClientStream, op: Any, seen: int) -> bool:
        """Whether the operation may be carried out now. Otherwise it has been taken care of."""
        bucket = bucket_of(op.channel)
        if seen < stream.moved.get(bucket, 0):
            # Sent before its sender read that the bucket went away: it has been sent again, to whom it concerns.
            return False
        if not self.known or bucket in self.frozen or bucket in self.arriving:
            self._hold(bucket, stream, op, seen)
            return False
        if bucket in self.owned:
            return True
        owner = self.elsewhere.get(bucket)
        if owner is None:
            self._hold(bucket, stream, op, seen)
            self.locate()
        else:
            self.mark(stream, [bucket], owner)
        return False

    def mark(self, stream: ClientStream, buckets: list[int], owner: int) -> None:
        """Tell one sender where these buckets are."""
        stream.push(encode(Moved(buckets, owner)))
        for bucket in buckets:
            stream.moved[bucket] = stream.top

    def taken(self, owned: Iterable[int]) -> None:
        """The database says what is ours."""
        before, self.owned = self.owned, set(owned)
        self.lost = (self.lost | (before - self.frozen)) - self.owned
        for bucket in self.owned:
            self.elsewhere.pop(bucket, None)
        if not self.known:
            self.begin()
        self.release((self.owned - before) - self.arriving.keys())

    def begin(self) -> None:
        """What is ours is known as well as it can be."""
        if not self.known:
            self.known = True
            self.release(list(self._held))

    def expect(self, buckets: Iterable[int]) -> None:
        """These buckets are about to be moved here."""
        until = asyncio.get_running_loop().time() + ARRIVES_WITHIN_S
        for bucket in buckets:
            self.arriving[bucket] = until

    def arrived(self, buckets: Iterable[int]) -> None:
        """These buckets are here, with all that was known of them."""
        came = [bucket for bucket in buckets if self.arriving.pop(bucket, None) is not None]
        self.release(came)

    def left(self, buckets: Iterable[int], owner: int) -> None:
        """These buckets belong to another shard now. What waited for them has been sent again by its senders."""
        for bucket in buckets:
            self.owned.discard(bucket)
            self.frozen.discard(bucket)
            self.elsewhere[bucket] = owner
            self._held.pop(bucket, None)

    def thaw(self, buckets: Iterable[int]) -> None:
        """A move came to nothing: these buckets stay."""
        buckets = list(buckets)
        self.frozen.difference_update(buckets)
        self.lost.update(bucket for bucket in buckets if bucket not in self.owned)
        self.release(buckets)

    def located(self, owners: dict[int, int]) -> None:
        """The database says whose the buckets are."""
        for bucket, owner in owners.items():
            if bucket not in self.owned and owner != self.shard:
                self.elsewhere[bucket] = owner
        self.release(bucket for bucket in list(self._held) if bucket in self.elsewhere)

    def release(self, buckets: Iterable[int]) -> None:
        """Decide again about what waits for these buckets, in the order of its arrival."""
        for bucket in list(buckets):
            for held in self._held.pop(bucket, ()):
                if self.admits(held.stream, held.op, held.seen):
                    self.carry_out(held.stream, [held.op])

    def holds(self, stream: ClientStream, kind: type[Operation]) -> bool:
        """Whether an operation of this kind, from this stream, waits for its bucket."""
        return any(
            held.stream is stream and isinstance(held.op, kind) for waiting in self._held.values() for held in waiting
        )

    def overdue(self, now: float) -> list[int]:
        """Answer what has waited too long, and name the buckets that did not arrive in time.

        What was given up must be so whenever the bucket is there: nobody would say it again.
        """
        limit = now - HELD_WITHIN_S
        for bucket, waiting in list(self._held.items()):
            kept: list[Held] = []
            for held in waiting:
                if held.since >= limit or isinstance(held.op, Unsubscribe):
                    kept.append(held)
                else:
                    self.refuse(held.stream, held.op)
            self._held[bucket] = kept
            if not self._held[bucket]:
                del self._held[bucket]
        return [bucket for bucket, until in self.arriving.items() if until <= now]

    def _hold(self, bucket: int, stream: ClientStream, op: Any, seen: int) -> None:
        self._held.setdefault(bucket, []).append(Held(stream, op, seen, asyncio.get_running_loop().time()))
