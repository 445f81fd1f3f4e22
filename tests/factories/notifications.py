"""Notifications."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import User
from db.notifications import service
from db.notifications.models import Notification
from tests.factories.auth import make_user


async def make_notification(session: AsyncSession, user: User | None = None, **values: Any) -> Notification:
    """An unread notice."""
    owner = user or await make_user(session)
    return await service.notify(session, owner.id, **({"kind": "test", "title": "Look"} | values))
