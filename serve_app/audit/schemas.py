"""The audit trail over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import ResponseSchema


class AuditEntry(ResponseSchema):
    """One security-relevant act."""

    id: int
    at: datetime
    action: str = Field(examples=["session.revoked"])
    actor_id: UUID | None = Field(description="Who acted; null for nobody who is known.")
    subject_type: str = Field(examples=["user"])
    subject_id: str = Field(description="An id, or what was typed.")
    ip: str | None
    request_id: str | None
    details: dict[str, Any]


class AccountChange(ResponseSchema):
    """One change of an account's row: what its changed fields held before and after. Password hashes are never in it.

    Of a value longer than 2 KiB there are its `bytes` and `sha256`.
    """

    id: int
    user_id: UUID
    operation: str = Field(examples=["UPDATE"])
    changed_by: UUID | None
    changed_at: datetime
    changed_fields: list[str]
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
