"""Connections by user and by process, and the floors below which credentials are void.

A subscription that a token of its own opened is kept like a connection, under a key of its own, so that its token can
be revoked as well; nobody finds it among the connections.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Generic, TypeVar

from actors.links.stream import ClientStream
from actors.sessions.contract import SessionRecord

FLOOR_LIFE_MS: Final = 3_600_000
"""Revocations are remembered for an hour. Our own are rows in the database, and our connection tokens live a minute;
this covers tokens of other issuers and the moments when the database does not answer."""

Key = TypeVar("Key", str, tuple[str, str])


class Remembered(Generic[Key]):
    """Moments (Unix ms) by key, each for `FLOOR_LIFE_MS` after it was put here: it may name any moment itself."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[Key, tuple[int, int]] = {}
        """Key → (moment, when it was put here), the oldest first."""

    def __contains__(self, key: Key) -> bool:
        """Whether there is one."""
        return key in self._held

    def __len__(self) -> int:
        """How many there are."""
        return len(self._held)

    def get(self, key: Key, otherwise: int) -> int:
        """The moment."""
        held = self._held.get(key)
        return otherwise if held is None else held[0]

    def put(self, key: Key, moment: int, now_ms: int) -> None:
        """Remember it from now on, and forget what is too old."""
        # Taken out first, so that the table stays in the order of time.
        self._held.pop(key, None)
        while self._held:
            oldest = next(iter(self._held))
            if self._held[oldest][1] > now_ms - FLOOR_LIFE_MS:
                break
            del self._held[oldest]
        self._held[key] = (moment, now_ms)


@dataclass(slots=True)
class Connection:
    """One registered connection, or subscription. `checked`: the database has been asked about it."""

    record: SessionRecord
    stream: ClientStream
    checked: bool = False
    revoked: bool = False
    session_number: int = 0
    """The stream session that registered it last."""


@dataclass(slots=True)
class Registry:
    """All connections of a shard's users."""

    users: dict[str, dict[str, Connection]] = field(default_factory=dict)
    grants: dict[str, dict[str, Connection]] = field(default_factory=dict)
    """User → subscriptions with tokens of their own, by key."""
    boots: dict[str, dict[str, Connection]] = field(default_factory=dict)
    """Process → its connections and subscriptions, by key."""
    user_floors: "Remembered[str]" = field(default_factory=lambda: Remembered[str]())
    """User → credentials issued before this (Unix ms) are void."""
    token_floors: "Remembered[str]" = field(default_factory=lambda: Remembered[str]())
    """User → tokens issued before this (Unix ms) were revoked, by order of an operator."""
    channel_floors: "Remembered[tuple[str, str]]" = field(default_factory=lambda: Remembered[tuple[str, str]]())
    """(user, channel) → the user's subscription tokens for the channel issued before this (Unix ms) were revoked."""
    ended_tokens: "Remembered[str]" = field(default_factory=lambda: Remembered[str]())
    """Token id → when it was revoked (Unix ms)."""
    ended_sessions: "Remembered[str]" = field(default_factory=lambda: Remembered[str]())
    """Login session → when it was ended (Unix ms)."""

    blocked: dict[str, int] = field(default_factory=dict)
    """User → until when they may not connect (Unix ms). Asked only while the database, which knows, does not answer."""

    def add(self, stream: ClientStream, record: SessionRecord) -> Connection:
        """Register or register again."""
        self.remove(stream.boot, record.key)
        connection = Connection(record, stream, session_number=stream.session)
        self._like(record).setdefault(record.user, {})[record.key] = connection
        self.boots.setdefault(stream.boot, {})[record.key] = connection
        return connection

    def remove(self, boot: str, key: str) -> None:
        """Forget a connection or subscription of this process, if it is one."""
        held = self.boots.get(boot, {})
        connection = held.pop(key, None)
        if connection is None:
            return
        if not held:
            del self.boots[boot]
        table = self._like(connection.record)
        of_user = table.get(connection.record.user, {})
        if of_user.get(key) is connection:
            del of_user[key]
            if not of_user:
                del table[connection.record.user]

    def _like(self, record: SessionRecord) -> dict[str, dict[str, Connection]]:
        return self.grants if record.channel else self.users

    def has(self, connection: Connection) -> bool:
        """Whether this very connection is registered."""
        return self.boots.get(connection.stream.boot, {}).get(connection.record.key) is connection

    def all(self) -> Iterator[Connection]:
        """Every connection and subscription."""
        for table in (self.users, self.grants):
            for of_user in table.values():
                yield from of_user.values()

    def forget_boot(self, boot: str, *, before_session: int | None = None) -> None:
        """Forget a process, or what it has not registered again in its current session."""
        for key, connection in list(self.boots.get(boot, {}).items()):
            if before_session is None or connection.session_number < before_session:
                self.remove(boot, key)

    def of_user(self, user: str, *, session: str = "", client: str = "") -> Iterator[Connection]:
        """A user's connections: all, of one login session, or one."""
        held = self.users.get(user, {})
        # One is looked up: connections without a user are very many under one name.
        for connection in list(held.values()) if not client else [held[client]] if client in held else []:
            if not session or connection.record.session == session:
                yield connection

    def count(self, user: str) -> int:
        """A user's connections."""
        return len(self.users.get(user, ()))

    def is_void(self, record: SessionRecord) -> bool:
        """Whether a revocation that this shard knows of covers the connection's credentials."""
        if record.session and record.session in self.ended_sessions:
            return True
        if record.token_id and record.token_id in self.ended_tokens:
            return True
        if record.issued_at_ms < self.token_floors.get(record.user, 0):
            return True
        if record.channel and record.issued_at_ms < self.channel_floors.get((record.user, record.channel), 0):
            return True
        # Issue times have a resolution of seconds; sessions of that very second are ended one by one.
        return record.issued_at_ms + 1000 <= self.user_floors.get(record.user, 0)

    def revoke(self, user: str, session: str, now_ms: int) -> None:
        """Remember a revocation."""
        (self.ended_sessions if session else self.user_floors).put(session or user, now_ms, now_ms)

    def block(self, user: str, until_ms: int, now_ms: int) -> None:
        """Remember until when a user may not connect; 0: they may."""
        self.blocked.pop(user, None)
        if until_ms > now_ms:
            self.blocked[user] = min(until_ms, now_ms + FLOOR_LIFE_MS)

    def is_blocked(self, user: str, now_ms: int) -> bool:
        """Whether the user may not connect, as far as this shard knows."""
        return self.blocked.get(user, 0) > now_ms

    def forget_blocks(self, now_ms: int) -> None:
        """Forget those that are over."""
        for user in [user for user, until_ms in self.blocked.items() if until_ms <= now_ms]:
            del self.blocked[user]

    def revoke_tokens(
        self, user: str, token_id: str, issued_before_ms: int, now_ms: int, channel: str = ""
    ) -> list[Connection]:
        """Remember that a token, or a user's tokens (with `channel`: those for it), are void.

        Returns the connections and subscriptions that they opened.
        """
        if token_id:
            self.ended_tokens.put(token_id, now_ms, now_ms)
        if user and channel:
            floor = max(issued_before_ms, self.channel_floors.get((user, channel), 0))
            self.channel_floors.put((user, channel), floor, now_ms)
        elif user:
            self.token_floors.put(user, max(issued_before_ms, self.token_floors.get(user, 0)), now_ms)
        known = (
            self.all() if not user else chain(*(table.get(user, {}).values() for table in (self.users, self.grants)))
        )
        return [connection for connection in known if self.is_void(connection.record)]


def by_stream(connections: Iterable[Connection]) -> list[tuple[ClientStream, list[str]]]:
    """Client ids per process, for one item each."""
    grouped: dict[int, tuple[ClientStream, list[str]]] = {}
    for connection in connections:
        grouped.setdefault(id(connection.stream), (connection.stream, []))[1].append(connection.record.client)
    return list(grouped.values())
