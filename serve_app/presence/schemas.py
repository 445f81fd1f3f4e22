"""Presence of users over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from serve_app.schemas import RequestSchema, ResponseSchema, Whole


class UserPresence(ResponseSchema):
    """One user, however many connections they have."""

    user: str
    online: bool
    connections: int
    status: str = Field(description="`available`, `away`, `busy`, or empty.")
    message: str
    expires_at: datetime | None = Field(description="When the status ends by itself.")
    last_active_at: datetime | None = Field(description="Now for somebody online; null for somebody never seen.")


class UserPresences(ResponseSchema):
    """Users in the order in which they were asked for."""

    items: list[UserPresence]


class StatusChange(RequestSchema):
    """What one says about oneself."""

    status: Literal["", "available", "away", "busy"]
    message: Annotated[str, Field(max_length=140)] = ""
    expires_in: Annotated[Whole, Field(ge=1, le=30 * 86_400)] | None = None
