"""Subscriptions that are being decided about beside the shard's turns, and may be given up meanwhile."""

from actors.brokers.operations import MapSubscribe, Subscribe
from actors.links.stream import ClientStream

Attempt = tuple[str, str, int]
"""(boot id of the process, channel, subscription)."""


class Attempts:
    """Those whose recovery is being read from the database. Who has given up must not be registered afterwards."""

    def __init__(self) -> None:
        self._standing: set[Attempt] = set()

    def begin(self, stream: ClientStream, op: Subscribe | MapSubscribe) -> Attempt:
        """It is being decided from here on; `end` it."""
        attempt = (stream.boot, op.channel, op.subscriber.subscription)
        self._standing.add(attempt)
        return attempt

    def stands(self, attempt: Attempt) -> bool:
        """Whether nobody has given it up."""
        return attempt in self._standing

    def give_up(self, stream: ClientStream, channel: str, subscription: int) -> None:
        """Its process does not want it any more."""
        self._standing.discard((stream.boot, channel, subscription))

    def end(self, attempt: Attempt) -> None:
        """It was decided."""
        self._standing.discard(attempt)
