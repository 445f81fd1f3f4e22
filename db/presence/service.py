"""Set a user's status, and read what is known of many users at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import InvalidInput

STATUSES: Final = ("", "available", "away", "busy")
"""'' is no status."""

MAX_MESSAGE: Final = 140
MAX_USERS: Final = 100
MAX_EXPIRY_S: Final = 30 * 86_400

_SET = text(
    """
    INSERT INTO app.user_presence AS p (user_id, status, message, expires_at)
    VALUES (:user_id, :status, :message, now() + make_interval(secs => CAST(:expires_in AS double precision)))
    ON CONFLICT ON CONSTRAINT pk_user_presence DO UPDATE
        SET status = excluded.status, message = excluded.message, expires_at = excluded.expires_at,
            last_active_at = now()
    """
)
# A login session is seen at each refresh of its tokens: who is away was active then.
_READ = text(
    """
    SELECT u.user_id,
           CASE WHEN p.expires_at IS NULL OR p.expires_at > now() THEN coalesce(p.status, '') ELSE '' END AS status,
           CASE WHEN p.expires_at IS NULL OR p.expires_at > now() THEN coalesce(p.message, '') ELSE '' END AS message,
           CASE WHEN p.expires_at > now() THEN p.expires_at END AS expires_at,
           greatest(p.last_active_at, (
               SELECT max(s.last_seen_at) FROM auth.sessions s WHERE s.user_id = (CASE WHEN u.user_id ~
                   '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN u.user_id END)::uuid
           )) AS last_active_at
    FROM unnest(CAST(:users AS text[])) WITH ORDINALITY AS u(user_id, n)
    LEFT JOIN app.user_presence p ON p.user_id = u.user_id
    ORDER BY u.n
    """
)
_FORGET = text(
    """
    DELETE FROM app.user_presence WHERE user_id IN (
        SELECT user_id FROM app.user_presence WHERE user_id = ANY (CAST(:users AS text[])) ORDER BY user_id FOR UPDATE
    )
    """
)
_TOUCH = text(
    """
    INSERT INTO app.user_presence AS p (user_id) SELECT DISTINCT unnest(CAST(:users AS text[])) ORDER BY 1
    ON CONFLICT ON CONSTRAINT pk_user_presence DO UPDATE SET last_active_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class KnownUser:
    """What is stored about a user. `last_active_at` None: never seen."""

    user: str
    status: str
    message: str
    expires_at: datetime | None
    last_active_at: datetime | None


async def set_status(
    session: AsyncSession, user: str, *, status: str, message: str = "", expires_in_s: int | None = None
) -> KnownUser:
    """Say something about oneself, for a while or until further notice. Raises InvalidInput."""
    if status not in STATUSES:
        raise InvalidInput(f"a status is one of {', '.join(STATUSES[1:])}, or empty", field="status")
    if len(message) > MAX_MESSAGE or "\0" in message:
        raise InvalidInput(f"{MAX_MESSAGE} characters at most", field="message")
    if expires_in_s is not None and not 1 <= expires_in_s <= MAX_EXPIRY_S:
        raise InvalidInput(f"1 to {MAX_EXPIRY_S} seconds", field="expires_in")
    values = {"user_id": user, "status": status, "message": message, "expires_in": expires_in_s}
    await session.execute(_SET, values)
    return (await read(session, [user]))[0]


async def read(session: AsyncSession, users: Sequence[str]) -> list[KnownUser]:
    """What is stored about these users, in their order. Raises InvalidInput for too many."""
    if len(users) > MAX_USERS:
        raise InvalidInput(f"{MAX_USERS} users at most", field="users")
    rows = await session.execute(_READ, {"users": list(users)})
    return [KnownUser(row.user_id, row.status, row.message, row.expires_at, row.last_active_at) for row in rows]


async def touch(session: AsyncSession, users: Sequence[str]) -> None:
    """These users were active just now."""
    await session.execute(_TOUCH, {"users": list(users)})


async def forget(session: AsyncSession, users: Sequence[str]) -> None:
    """Nothing is known of these users any more but what their login sessions say."""
    await session.execute(_FORGET, {"users": list(users)})
