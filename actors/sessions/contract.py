"""What the session shards promise: who is connected, and how to reach or end them.

A user's connections are known to one shard (by hash of the user id). A realtime replica registers each authenticated
connection before it answers `connect`, and re-registers all of them after a shard's reset (DESIGN §5, 12).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One connection. `session` is the login session's id (`sid` claim) or empty. Times are Unix milliseconds."""

    client: str
    user: str
    session: str
    hub: str
    transport: str
    connected_ms: int
    name: str = ""
    version: str = ""
    issued_at_ms: int = 0
    """When the connection's token was issued: compared with the revocation floor."""


class SessionsUnreachable(Exception):
    """The shard did not answer in time: the order may have been carried out or not."""


class SessionSink(Protocol):
    """Receives orders for connections of this process, synchronously and in order."""

    def on_disconnect(self, clients: Sequence[str], code: int, reason: str) -> None:
        """Close these connections."""

    def on_send(self, clients: Sequence[str], data: bytes) -> None:
        """Send `data` (raw JSON) to these connections as a message push."""

    def on_commands(self, session: str, data: bytes) -> bool:
        """A frame of commands for an emulated session of this process. Returns whether there is such a session."""


class SessionClient(Protocol):
    """One process's access to all session shards."""

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        """Register; `on_result(True)` when it may live, False when its session or token is revoked."""

    def unregister(self, client: str, user: str) -> None:
        """The connection ended."""

    async def connections(self, user: str) -> Sequence[SessionRecord]:
        """Who is connected as this user, in the whole cluster."""

    async def disconnect_user(
        self, user: str, *, code: int, reason: str, session: str = "", client: str = "", exclude: Sequence[str] = ()
    ) -> int:
        """Close a user's connections (all, of one login session, or one). Returns how many were told."""

    async def revoke(self, user: str, *, session: str = "") -> int:
        """Close with 3503 and refuse tokens issued until now: of one login session, or all of the user's."""

    async def send_to_user(self, user: str, data: bytes) -> int:
        """Send raw JSON to every connection of the user. Returns how many were told."""

    async def emulate(self, node: str, session: str, data: bytes) -> bool:
        """Hand a frame of commands to the process `node` (its boot id), which owns the emulated session.

        Frames of one session arrive in the order of these calls. Returns whether the session was found; raises
        SessionsUnreachable when it is not known whether the frame arrived, or the owner is behind.
        """
