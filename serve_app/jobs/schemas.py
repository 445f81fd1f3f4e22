"""Jobs over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import ResourceSchema


class JobState(StrEnum):
    """`deferred` waits for its time, `ready` for a free slot; the last three are ends."""

    READY = "ready"
    DEFERRED = "deferred"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(ResourceSchema):
    """One durable request for background work."""

    id: UUID
    kind: str
    queue: str
    state: JobState
    priority: int
    attempt: int
    max_attempts: int | None = Field(description="Null: what the kind allows.")
    args: dict[str, Any]
    progress: dict[str, Any] | None
    result: Any
    errors: list[dict[str, Any]] = Field(description="What earlier attempts failed of, oldest first.")
    user_id: UUID | None
    key: str | None = Field(
        description="Whose job it is: the keys of a queue take turns. Null: nobody's in particular."
    )
    node: str | None
    cancel_requested: bool
    run_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
