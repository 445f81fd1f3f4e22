"""A connection and its socket, as the hub holds them."""

from serve_app.edge.arrival import NOWHERE, Arrival
from serve_app.realtime.connection import Connection
from serve_app.realtime.taps import Tap
from serve_app.realtime.timers import UNSCHEDULED
from serve_app.realtime.wire import Socket

Frame = tuple[float, bool, bytes | list[bytes] | int]
"""(monotonic seconds, whether it was sent, the frame of the client or the messages for it, or only their length)."""


class Peer:
    """One connection of this process."""

    __slots__ = (
        "connection", "expecting", "generation", "grants", "held", "held_bytes", "newcomer", "opened_ms", "pending",
        "recent", "registered", "roster", "slot", "socket", "tap",
    )  # fmt: skip

    def __init__(self, connection: Connection, socket: Socket, arrival: Arrival = NOWHERE, opened_ms: int = 0) -> None:
        self.connection = connection
        self.socket = socket
        self.generation = arrival.generation
        """The HAProxy process that carries it."""
        self.newcomer: str | None = arrival.address
        """Its address until it has authenticated."""
        self.opened_ms = opened_ms
        """When the socket was opened, Unix milliseconds."""
        self.slot = UNSCHEDULED
        self.registered = False
        """The session shard knows of it."""
        self.grants: set[str] | None = None
        """Channels whose subscriptions tokens of their own opened: the session shard knows of these too."""
        self.roster: dict[str, int] | None = None
        """Channels in which the durable roster has it ('' for the connection itself), and the events they want."""
        self.pending: list[bytes] | None = None
        """Messages of this turn of the event loop, written together at its end."""
        self.expecting = False
        """An answer larger than usual was written and may be unread."""
        self.held: list[bytes] | None = None
        """Pushes of server-side subscriptions that must follow the connect reply."""
        self.held_bytes = 0
        self.recent: list[Frame] | tuple[()] | None = None
        """The last frames; None before the reply to `connect`."""
        self.tap: Tap | None = None
        """Reads along while the connection is traced."""
