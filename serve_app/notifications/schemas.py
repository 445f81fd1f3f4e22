"""Notifications over HTTP. New ones also arrive on the personal channel `user:#<user id>`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import Page, ResourceSchema


class Notification(ResourceSchema):
    """Something that a person should know."""

    id: UUID
    kind: str = Field(examples=["order.status"])
    title: str
    body: str
    data: dict[str, Any]
    read_at: datetime | None
    created_at: datetime


class NotificationPage(Page[Notification]):
    """A page of one's notifications."""

    unread: int | None = Field(
        description="How many of all one's notifications are unread, whatever page this is; null when paging by cursor."
    )
