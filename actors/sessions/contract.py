"""What the session shards promise: who is connected, and how to reach or end them.

A user's connections are known to one shard (by hash of the user id), each connection without a user to one by its own
id. A realtime replica registers each connection before it answers `connect`, and re-registers all of them after a
shard's reset (DESIGN §5, 12); one that nothing can revoke need not wait for the answer.

Orders for connections name a user, or, with an empty user, one connection that has none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


class SessionsUnreachable(Exception):
    """The shard did not answer in time: the order may have been carried out or not."""


class SessionRecord(msgspec.Struct, array_like=True, frozen=True):
    """One connection, here and on the wire. `session` is the login session's id (`sid` claim) or empty.

    Times are Unix milliseconds.
    """

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
    token_id: str = ""
    """By which its token may be revoked."""
    channel: str = ""
    """Set where this is no connection, but a subscription of one that a token of its own opened."""

    @property
    def key(self) -> str:
        """What the connection, or the subscription, is registered under."""
        return registration_key(self.client, self.channel)


def registration_key(client: str, channel: str = "") -> str:
    """What a connection, or a subscription of it that a token of its own opened, is registered under."""
    return f"{client} {channel}" if channel else client


@dataclass(frozen=True, slots=True)
class SubscribeOrder:
    """A channel that the server adds to connections. `info` and `data` are raw JSON or empty.

    `expire_at` is Unix seconds, 0: never. `since` is (epoch, offset) to recover from. `override` sets options of the
    namespace for this subscription: presence, join_leave, force_push_join_leave, force_recovery, force_positioning.
    """

    channel: str
    info: bytes = b""
    data: bytes = b""
    expire_at: int = 0
    since: tuple[str, int] | None = None
    override: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefreshOrder:
    """A new end of connections: `expire_at` in Unix seconds (0: none), or `expired` at once."""

    expired: bool = False
    expire_at: int = 0


@dataclass(frozen=True, slots=True)
class HubAnswers:
    """What the realtime processes answered, by their boot id, and those that did not in time."""

    answers: Mapping[str, bytes]
    silent: Sequence[str] = ()


class SessionSink(Protocol):
    """Receives orders for connections of this process, synchronously and in order."""

    def on_disconnect(self, clients: Sequence[str], code: int, reason: str) -> None:
        """Close these connections."""

    def on_send(self, clients: Sequence[str], data: bytes) -> None:
        """Send `data` (raw JSON) to these connections as a message push."""

    def on_commands(self, session: str, data: bytes) -> bool:
        """A frame of commands for an emulated session of this process. Returns whether there is such a session."""

    def on_subscribe(self, clients: Sequence[str], order: SubscribeOrder) -> None:
        """Subscribe these connections on the server's behalf."""

    def on_unsubscribe(self, clients: Sequence[str], channel: str, code: int, reason: str) -> None:
        """Take a channel away from these connections; an empty `channel` means all of theirs."""

    def on_refresh(self, clients: Sequence[str], order: RefreshOrder) -> None:
        """Give these connections another end."""

    def on_spent(self, user: str, amounts: Mapping[str, int]) -> None:
        """A user has used so much of its rates in another process: bucket → tokens."""

    def on_retired(self, generations: Sequence[str]) -> None:
        """Sockets that came through these HAProxy processes, of any node, must move. Said again until they have."""

    def on_question(self, question: bytes) -> bytes:
        """Answer a question to every realtime process, at once. Its content is between asker and sink."""


class SessionClient(Protocol):
    """One process's access to all session shards."""

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        """Register; `on_result(True)` when it may live, False when its session or token is revoked."""

    def unregister(self, client: str, user: str, channel: str = "") -> None:
        """The connection ended, or its subscription to the channel, which a token of its own had opened."""

    async def connections(self, user: str) -> Sequence[SessionRecord]:
        """Who is connected as this user, in the whole cluster."""

    async def disconnect_user(
        self, user: str, *, code: int, reason: str, session: str = "", client: str = "", exclude: Sequence[str] = ()
    ) -> int:
        """Close a user's connections (all, of one login session, or one). Returns how many were told."""

    async def revoke(self, user: str, *, session: str = "") -> int:
        """Close with 3503 and refuse tokens issued until now: of one login session, or all of the user's."""

    async def emulate(self, node: str, session: str, data: bytes) -> bool:
        """Hand a frame of commands to the process `node` (its boot id), which owns the emulated session.

        Frames of one session arrive in the order of these calls. Returns whether the session was found; raises
        SessionsUnreachable when it is not known whether the frame arrived, or the owner is behind.
        """

    async def revoke_tokens(
        self, *, user: str = "", token_id: str = "", issued_before_ms: int = 0, channel: str = ""
    ) -> int:
        """End what a token, or a user's tokens issued before then, opened: connections with 3503, subscriptions with
        2000. `channel`: only the user's subscription tokens for it. Returns how many were told.
        """

    async def block(self, user: str, *, until_ms: int) -> int:
        """A user may not connect until then (Unix ms), or, with 0, may again. Closes what is open with 3503.

        Returns how many were told.
        """

    async def send_to_user(self, user: str, data: bytes, *, session: str = "", client: str = "") -> int:
        """Send raw JSON to a user's connections (all, of one login session, or one). Returns how many were told."""

    async def subscribe_user(self, user: str, order: SubscribeOrder, *, session: str = "", client: str = "") -> int:
        """Subscribe a user's connections to a channel. Returns how many were told."""

    async def unsubscribe_user(
        self, user: str, channel: str, *, code: int, reason: str, session: str = "", client: str = ""
    ) -> int:
        """Take a channel, or all when it is empty, away from a user's connections. Returns how many were told."""

    async def refresh_user(self, user: str, order: RefreshOrder, *, session: str = "", client: str = "") -> int:
        """Give a user's connections another end. Returns how many were told."""

    def spend(self, spent: Mapping[str, Mapping[str, int]]) -> None:
        """Tell the other processes what users have used of their rates here: user → bucket → tokens.

        A shortcut that may be lost: then each process counts for itself.
        """

    async def ask_hubs(self, question: bytes, *, hub: str = "") -> HubAnswers:
        """Ask every realtime process, or one, and wait a second for the answers. Raises SessionsUnreachable."""
