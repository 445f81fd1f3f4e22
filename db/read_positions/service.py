"""Mark how far somebody has read, and tell how much is unread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.conversations import reading as conversations
from db.effects import PositionRead
from db.read_positions.errors import PositionUnknown
from db.session import record_effect

MAX_CHANNELS = 100

_HEADS = text("SELECT channel, epoch, top FROM app.stream_heads WHERE channel = ANY(CAST(:channels AS text[]))")
# Rows are locked in one order: two writers cannot deadlock.
_MARK = text(
    """
    INSERT INTO app.read_positions AS p (channel, user_id, epoch, "offset")
    SELECT i.channel, i.user_id, i.epoch, i.position FROM unnest(
        CAST(:channels AS text[]), CAST(:users AS text[]), CAST(:epochs AS text[]), CAST(:offsets AS bigint[])
    ) AS i(channel, user_id, epoch, position) ORDER BY i.channel, i.user_id
    ON CONFLICT ON CONSTRAINT pk_read_positions DO UPDATE
        SET epoch = excluded.epoch, "offset" = excluded."offset", read_at = now()
        WHERE p.epoch <> excluded.epoch OR p."offset" < excluded."offset"
    RETURNING p.channel, p.user_id
    """
)
_OWN = text(
    """
    SELECT c.channel, p.epoch, p."offset", p.read_at,
           coalesce(h.top - CASE WHEN p.epoch = h.epoch THEN p."offset" ELSE 0 END, 0) AS unread
    FROM unnest(CAST(:channels AS text[])) WITH ORDINALITY AS c(channel, n)
    LEFT JOIN app.stream_heads h ON h.channel = c.channel
    LEFT JOIN app.read_positions p ON p.channel = c.channel AND p.user_id = :user_id
    ORDER BY c.n
    """
)
_OTHERS = text(
    """
    SELECT user_id, epoch, "offset", read_at FROM app.read_positions
    WHERE channel = :channel ORDER BY read_at DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody says that they have read a channel up to here."""

    channel: str
    user: str
    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class OwnPosition:
    """How far one user has read a channel. `unread`: publications after that, all of them when nothing was read."""

    channel: str
    epoch: str
    offset: int
    read_at: datetime | None
    unread: int


@dataclass(frozen=True, slots=True)
class MemberPosition:
    """How far a member has read."""

    user: str
    epoch: str
    offset: int
    read_at: datetime


async def mark_many(session: AsyncSession, marks: Sequence[Mark]) -> list[bool]:
    """Move positions forward, never back, in one statement. Says of each whether it is a position of its stream.

    What moved is told to the channel's members after the commit, where the namespace says so.
    """
    heads = {
        row.channel: (row.epoch, row.top)
        for row in await session.execute(_HEADS, {"channels": sorted({mark.channel for mark in marks})})
    }
    valid = [_is_position(heads.get(mark.channel), mark) for mark in marks]
    furthest: dict[tuple[str, str], Mark] = {}
    for mark, good in zip(marks, valid, strict=True):
        key = (mark.channel, mark.user)
        if good and (key not in furthest or furthest[key].offset < mark.offset):
            furthest[key] = mark
    if not furthest:
        return valid
    found = await session.execute(
        _MARK,
        {
            "channels": [mark.channel for mark in furthest.values()],
            "users": [mark.user for mark in furthest.values()],
            "epochs": [mark.epoch for mark in furthest.values()],
            "offsets": [mark.offset for mark in furthest.values()],
        },
    )
    moved = [furthest[row.channel, row.user_id] for row in found]
    numbers = await conversations.follow_positions(session, [(m.channel, m.user, m.offset) for m in moved])
    for mark in moved:
        number = numbers.get((mark.channel, mark.user), 0)
        record_effect(session, PositionRead(mark.channel, mark.user, mark.epoch, mark.offset, number))
    return valid


def _is_position(head: tuple[str, int] | None, mark: Mark) -> bool:
    """Nothing is a position of a stream without a head: nothing was ever published."""
    return head is not None and head[0] == mark.epoch and 0 <= mark.offset <= head[1]


async def mark(session: AsyncSession, channel: str, *, user: str, epoch: str, offset: int) -> OwnPosition:
    """Move one position forward. Raises PositionUnknown."""
    if not (await mark_many(session, [Mark(channel, user, epoch, offset)]))[0]:
        raise PositionUnknown
    return (await own(session, user, [channel]))[0]


async def own(session: AsyncSession, user: str, channels: Iterable[str]) -> list[OwnPosition]:
    """How far the user has read each channel, and how much is left. `read_at` None: nothing yet."""
    rows = await session.execute(_OWN, {"channels": list(channels), "user_id": user})
    return [OwnPosition(row.channel, row.epoch or "", row.offset or 0, row.read_at, row.unread) for row in rows]


async def members(session: AsyncSession, channel: str, *, limit: int = 100) -> list[MemberPosition]:
    """How far members have read a channel, the latest readers first."""
    rows = await session.execute(_OTHERS, {"channel": channel, "limit": limit})
    return [MemberPosition(row.user_id, row.epoch, row.offset, row.read_at) for row in rows]
