"""Presence of users, put together: their connections from the session shards, the rest from rows.

REST, rpc and the server API answer from here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from actors.sessions.contract import SessionClient, SessionsUnreachable
from db.errors import Unavailable
from db.presence import service
from db.presence.service import KnownUser
from db.session import Database


@dataclass(frozen=True, slots=True)
class PresentUser:
    """One user. `last_active_at` of somebody online is now; None: never seen."""

    user: str
    online: bool
    connections: int
    status: str
    message: str
    expires_at: datetime | None
    last_active_at: datetime | None


async def present_users(database: Database, sessions: SessionClient, users: Sequence[str]) -> list[PresentUser]:
    """Who of these is online, and what is known of each. Raises InvalidInput, Unavailable."""
    async with database.transaction(read_only=True) as session:
        known = await service.read(session, users)
    counts = await asyncio.gather(*(_connections(sessions, user) for user in users))
    return [combined(stored, count) for stored, count in zip(known, counts, strict=True)]


async def _connections(sessions: SessionClient, user: str) -> int:
    try:
        return len(await sessions.connections(user))
    except SessionsUnreachable as reason:
        raise Unavailable("Who is connected cannot be read now.") from reason


def combined(known: KnownUser, connections: int) -> PresentUser:
    """What is stored, and how many connections there are now."""
    return PresentUser(
        known.user,
        connections > 0,
        connections,
        known.status,
        known.message,
        known.expires_at,
        datetime.now(UTC) if connections else known.last_active_at,
    )
