"""Accounts as operators see them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from serve_app.auth.schemas import Email, FullName, NewPassword, Username
from serve_app.schemas import FreeJson, RequestSchema, ResourceSchema

Roles = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)]


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
    metadata: FreeJson | None = None
    is_active: bool | None = None
    is_verified: bool | None = None
    roles: Roles | None = None


class UserCreate(RequestSchema):
    """A new account, made by an administrator. Other roles than `customer` need `roles:manage`."""

    email: Email
    username: Username
    password: NewPassword
    full_name: FullName = ""
    is_verified: bool = False
    roles: Roles = Field(default=["customer"])


class UserReplace(RequestSchema):
    """An account as it shall be, in full. Other roles than it has need `roles:manage`."""

    email: Email
    username: Username
    full_name: FullName
    metadata: FreeJson
    is_active: bool
    is_verified: bool
    roles: Roles
