"""Connections by user and by process, and the floors below which credentials are void."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from actors.links.stream import ClientStream
from actors.sessions.contract import SessionRecord

FLOOR_LIFE_MS: Final = 3_600_000
"""Revocations are remembered for an hour. Our own are rows in the database, and our connection tokens live a minute;
this covers tokens of other issuers and the moments when the database does not answer."""


@dataclass(slots=True)
class Connection:
    """One registered connection. `checked`: the database has been asked about it."""

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
    boots: dict[str, dict[str, Connection]] = field(default_factory=dict)
    user_floors: dict[str, int] = field(default_factory=dict)
    """User → credentials issued before this (Unix ms) are void."""
    token_floors: dict[str, int] = field(default_factory=dict)
    """User → tokens issued before this (Unix ms) were revoked, by order of an operator."""
    ended_tokens: dict[str, int] = field(default_factory=dict)
    """Token id → when it was revoked (Unix ms)."""
    ended_sessions: dict[str, int] = field(default_factory=dict)
    """Login session → when it was ended (Unix ms)."""

    def add(self, stream: ClientStream, record: SessionRecord) -> Connection:
        """Register or register again."""
        self.remove(stream.boot, record.client)
        connection = Connection(record, stream, session_number=stream.session)
        self.users.setdefault(record.user, {})[record.client] = connection
        self.boots.setdefault(stream.boot, {})[record.client] = connection
        return connection

    def remove(self, boot: str, client: str) -> None:
        """Forget a connection of this process, if it is one."""
        held = self.boots.get(boot, {})
        connection = held.pop(client, None)
        if connection is None:
            return
        if not held:
            del self.boots[boot]
        of_user = self.users.get(connection.record.user, {})
        if of_user.get(client) is connection:
            del of_user[client]
            if not of_user:
                del self.users[connection.record.user]

    def has(self, connection: Connection) -> bool:
        """Whether this very connection is registered."""
        return self.boots.get(connection.stream.boot, {}).get(connection.record.client) is connection

    def forget_boot(self, boot: str, *, before_session: int | None = None) -> None:
        """Forget a process, or what it has not registered again in its current session."""
        for client, connection in list(self.boots.get(boot, {}).items()):
            if before_session is None or connection.session_number < before_session:
                self.remove(boot, client)

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
        floor = self.user_floors.get(record.user)
        # Issue times have a resolution of seconds; sessions of that very second are ended one by one.
        return floor is not None and record.issued_at_ms + 1000 <= floor

    def revoke(self, user: str, session: str, now_ms: int) -> None:
        """Remember a revocation."""
        _remember(self.ended_sessions if session else self.user_floors, session or user, now_ms, now_ms)

    def revoke_tokens(self, user: str, token_id: str, issued_before_ms: int, now_ms: int) -> list[Connection]:
        """Remember that a token, or a user's tokens, are void. Returns the connections that they opened."""
        if token_id:
            _remember(self.ended_tokens, token_id, now_ms, now_ms)
        if user:
            _remember(self.token_floors, user, max(issued_before_ms, self.token_floors.get(user, 0)), now_ms)
        known = self.users.get(user, {}).values() if user else (c for own in self.users.values() for c in own.values())
        return [connection for connection in known if self.is_void(connection.record)]


def by_stream(connections: Iterable[Connection]) -> list[tuple[ClientStream, list[str]]]:
    """Client ids per process, for one item each."""
    grouped: dict[int, tuple[ClientStream, list[str]]] = {}
    for connection in connections:
        grouped.setdefault(id(connection.stream), (connection.stream, []))[1].append(connection.record.client)
    return list(grouped.values())


def _remember(table: dict[str, int], key: str, value: int, now_ms: int) -> None:
    for old in _over(table, now_ms - FLOOR_LIFE_MS):
        del table[old]
    # Deleted first, so that the table stays in the order of time.
    table.pop(key, None)
    table[key] = value


def _over(table: dict[str, int], limit_ms: int) -> list[str]:
    over = []
    for key, since in table.items():
        if since > limit_ms:
            break
        over.append(key)
    return over
