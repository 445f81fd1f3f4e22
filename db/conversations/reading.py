"""Messages and positions in the stream of their channel: two ways to say how far somebody has read."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL_PREFIX: Final = "conversation:"

# The newest message at or before the position; other publications of the channel carry none.
_FOLLOW = text(
    """
    UPDATE app.conversation_participants p
    SET last_read_number = greatest(p.last_read_number, m.number), last_read_at = now()
    FROM unnest(CAST(:channels AS text[]), CAST(:users AS uuid[]), CAST(:offsets AS bigint[]))
        AS i(channel, user_id, position)
    CROSS JOIN LATERAL (
        SELECT m.conversation_id, m.number FROM app.stream_publications s
        JOIN app.messages m ON m.outbox_id = substr(s.publication_id, 8)::bigint
            AND m.conversation_id = substr(i.channel, 14)::uuid
        WHERE s.channel = i.channel AND s."offset" <= i.position AND s.publication_id LIKE 'outbox:%'
        ORDER BY s."offset" DESC LIMIT 1
    ) AS m
    WHERE p.conversation_id = m.conversation_id AND p.user_id = i.user_id
    RETURNING i.channel, i.user_id, p.last_read_number
    """
)
_POSITION = text(
    """
    SELECT h.epoch, s."offset" FROM app.stream_publications s JOIN app.stream_heads h USING (channel)
    WHERE s.channel = :channel AND s.publication_id = :publication_id
    """
)


async def follow_positions(session: AsyncSession, moved: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
    """Positions (channel, user, offset) of conversations moved: their participants have read so many messages.

    Returns (channel, user) → number of the newest message read. Other channels are no concern of ours.
    """
    ours = [
        (channel, user, offset)
        for channel, user, offset in moved
        if channel.startswith(CHANNEL_PREFIX) and _is_uuid(channel.removeprefix(CHANNEL_PREFIX)) and _is_uuid(user)
    ]
    if not ours:
        return {}
    rows = await session.execute(
        _FOLLOW,
        {
            "channels": [channel for channel, _, _ in ours],
            "users": [UUID(user) for _, user, _ in ours],
            "offsets": [offset for _, _, offset in ours],
        },
    )
    return {(row.channel, str(row.user_id)): row.last_read_number for row in rows}


async def position_of(session: AsyncSession, channel: str, outbox_id: int | None) -> tuple[str, int] | None:
    """(epoch, offset) of the publication that a message became; None before it went out, and when it is pruned."""
    if outbox_id is None:
        return None
    row = (await session.execute(_POSITION, {"channel": channel, "publication_id": f"outbox:{outbox_id}"})).first()
    return None if row is None else (row.epoch, row.offset)


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
