"""What the realtime path of this process counts. Plain integers where it is hot; metrics where it is not.

Adding to an attribute costs a fraction of counting with a metric, which takes a lock: `publish` carries the sums over
every two seconds, before this process's numbers are pushed.
"""

from typing import Final

from actors.metrics.registry import (
    REALTIME_CONNECTIONS,
    REALTIME_DISCONNECTS,
    REALTIME_FRAMES_RECEIVED,
    REALTIME_MESSAGES_SENT,
    REALTIME_PUBLICATIONS,
    REALTIME_RECOVERIES,
)
from actors.protocol.codes import DISCONNECTS

LEFT: Final = "left"
"""Label of connections whose transport went away without a code of ours."""

APPLICATION: Final = "application"
"""Label of all codes that applications define: labels have few values."""


class Counts:
    """Sums since the last `publish`."""

    __slots__ = ("_transports", "deliveries", "frames", "messages", "publications")

    def __init__(self) -> None:
        self.frames = 0
        """Frames from clients."""
        self.publications = 0
        """Publications of the brokers, for channels with subscribers here."""
        self.deliveries = 0
        """Publications written to subscribers."""
        self.messages = 0
        """Replies and pushes for single connections."""
        self._transports: dict[str, int] = {}

    def opened(self, transport: str) -> None:
        """A connection more."""
        self._transports[transport] = self._transports.get(transport, 0) + 1

    def closed(self, transport: str) -> None:
        """A connection less."""
        self._transports[transport] -= 1

    def ended(self, code: int) -> None:
        """A connection ended with this code; 0: without one."""
        label = LEFT if code == 0 else str(code) if code in DISCONNECTS else APPLICATION
        REALTIME_DISCONNECTS.labels(label).inc()

    def recovered(self, outcome: bool) -> None:
        """A subscriber asked for what it missed."""
        REALTIME_RECOVERIES.labels("recovered" if outcome else "unrecovered").inc()

    def publish(self) -> None:
        """Carry the sums over into the metrics."""
        REALTIME_FRAMES_RECEIVED.inc(self.frames)
        REALTIME_PUBLICATIONS.inc(self.publications)
        REALTIME_MESSAGES_SENT.labels("publication").inc(self.deliveries)
        REALTIME_MESSAGES_SENT.labels("other").inc(self.messages)
        self.frames = self.publications = self.deliveries = self.messages = 0
        for transport, count in self._transports.items():
            REALTIME_CONNECTIONS.labels(transport).set(count)


COUNTS: Final = Counts()
"""This process's."""
