"""Accounts as operators see them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from serve_app.auth.schemas import Email, FullName, Username
from serve_app.schemas import RequestSchema, ResourceSchema


class User(ResourceSchema):
    """One account."""

    id: UUID
    email: str
    username: str
    full_name: str
    is_active: bool
    is_verified: bool
    roles: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    version: int


class UserUpdate(RequestSchema):
    """Changes to an account. `is_active`, `is_verified` and `roles` need `users:write`."""

    email: Email | None = None
    username: Username | None = None
    full_name: FullName | None = None
    metadata: dict[str, Any] | None = None
    is_active: bool | None = None
    is_verified: bool | None = None
    roles: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)] | None = None
