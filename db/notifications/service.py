"""Notices to one person: a row, and a publication on their personal channel in the same transaction."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch
from db.notifications.errors import NotificationNotFound
from db.notifications.models import Notification
from db.outbox.service import publish
from db.pagination import Cursor, CursorPage, Page, SortOrder, fetch_cursor_page, fetch_page

NEWEST_FIRST = SortOrder("created_at", (Notification.created_at, Notification.id), descending=True)


def personal_channel(user_id: UUID) -> str:
    """Every connection of a user hears this channel."""
    return f"user:#{user_id}"


async def notify(
    session: AsyncSession,
    user_id: UUID,
    *,
    kind: str,
    title: str,
    body: str = "",
    data: Mapping[str, Any] | None = None,
    collapse_key: str | None = None,
) -> Notification:
    """Tell a user something. Under a `collapse_key` it replaces the unread notice with the same key."""
    values = {"kind": kind, "title": title[:160], "body": body, "data": dict(data or {})}
    statement = insert(Notification).values(user_id=user_id, collapse_key=collapse_key, **values)
    if collapse_key is not None:
        statement = statement.on_conflict_do_update(
            index_elements=[Notification.user_id, Notification.collapse_key],
            index_where=text("read_at IS NULL AND collapse_key IS NOT NULL"),
            set_=values | {"created_at": func.clock_timestamp()},
        )
    notification = (
        await session.scalars(statement.returning(Notification), execution_options={"populate_existing": True})
    ).one()
    await publish(
        session, personal_channel(user_id), {"type": "notification", "notification": as_payload(notification)}
    )
    return notification


def as_payload(notification: Notification) -> dict[str, Any]:
    """The notice as clients see it, over REST and on the channel."""
    return {
        "id": str(notification.id),
        "kind": notification.kind,
        "title": notification.title,
        "body": notification.body,
        "data": notification.data,
        "read_at": notification.read_at.isoformat() if notification.read_at else None,
        "created_at": notification.created_at.isoformat(),
    }


async def list_notifications(
    session: AsyncSession, user_id: UUID, *, unread: bool = False, page: int = 1, limit: int = 20, count: bool = True
) -> Page[Notification]:
    """One numbered page of a user's notices, newest first."""
    statement = select(Notification).where(*_of(user_id, unread=unread))
    return await fetch_page(session, statement, NEWEST_FIRST, page=page, limit=limit, count=count)


async def list_notifications_by_cursor(
    session: AsyncSession, user_id: UUID, *, unread: bool = False, cursor: Cursor | None = None, limit: int = 20
) -> CursorPage[Notification]:
    """The same by cursor."""
    statement = select(Notification).where(*_of(user_id, unread=unread))
    return await fetch_cursor_page(session, statement, NEWEST_FIRST, cursor=cursor, limit=limit)


async def unread_count(session: AsyncSession, user_id: UUID) -> int:
    """How many notices the user has not read."""
    counted = select(func.count()).select_from(Notification).where(*_of(user_id, unread=True))
    return int(await session.scalar(counted) or 0)


async def mark_read(session: AsyncSession, user_id: UUID, notification_id: UUID) -> None:
    """Mark one notice as read; twice is fine. Raises NotificationNotFound."""
    known = await session.execute(
        update(Notification)
        .where(Notification.id == notification_id, Notification.user_id == user_id)
        .values(read_at=func.coalesce(Notification.read_at, func.now()))
        .returning(Notification.id)
        .execution_options(synchronize_session=False)
    )
    if known.first() is None:
        raise NotificationNotFound


async def mark_all_read(session: AsyncSession, user_id: UUID, *, collapse_key: str | None = None) -> int:
    """Mark everything (or what is under one key) as read. Returns how many were unread."""
    conditions = _of(user_id, unread=True)
    if collapse_key is not None:
        conditions.append(Notification.collapse_key == collapse_key)
    marked = await session.execute(
        update(Notification)
        .where(*conditions)
        .values(read_at=func.now())
        .returning(Notification.id)
        .execution_options(synchronize_session=False)
    )
    return len(marked.all())


async def withdraw(session: AsyncSession, user_ids: Iterable[UUID], *, collapse_key: str, body: str) -> None:
    """Take back the words of unread notices that say this under the key. That there was something to say, stays."""
    await session.execute(
        update(Notification)
        .where(
            Notification.user_id.in_(list(user_ids)),
            Notification.collapse_key == collapse_key,
            Notification.read_at.is_(None),
            Notification.body == body,
        )
        .values(body="")
        .execution_options(synchronize_session=False)
    )


async def prune(session: AsyncSession, *, read_days: int, days: int, limit: int = BATCH) -> int:
    """Delete old notices, read ones sooner, `limit` at most; returns how many."""
    where = (
        "old.created_at < now() - make_interval(days => :read_days)"
        " AND (old.read_at IS NOT NULL OR old.created_at < now() - make_interval(days => :days))"
    )
    return await delete_batch(
        session, "app.notifications", where, limit=limit, oldest="created_at", read_days=read_days, days=days
    )


def _of(user_id: UUID, *, unread: bool) -> list[ColumnElement[bool]]:
    conditions = [Notification.user_id == user_id]
    if unread:
        conditions.append(Notification.read_at.is_(None))
    return conditions
