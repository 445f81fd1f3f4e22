"""A connection and its socket, as the hub holds them."""

from serve_app.realtime.connection import Connection
from serve_app.realtime.timers import UNSCHEDULED
from serve_app.realtime.wire import Socket


class Peer:
    """One connection of this process."""

    __slots__ = ("connection", "held", "held_bytes", "pending", "registered", "slot", "socket")

    def __init__(self, connection: Connection, socket: Socket) -> None:
        self.connection = connection
        self.socket = socket
        self.slot = UNSCHEDULED
        self.registered = False
        """The session shard knows of it."""
        self.pending: list[bytes] | None = None
        """Messages of this turn of the event loop, written together at its end."""
        self.held: list[bytes] | None = None
        """Pushes of server-side subscriptions that must follow the connect reply."""
        self.held_bytes = 0
