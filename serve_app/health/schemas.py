"""What health checks answer."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from serve_app.schemas import ResponseSchema


class Check(ResponseSchema):
    """One part. Why it is unhealthy is in the log, not here."""

    status: Literal["healthy", "degraded", "unhealthy"]
    latency_ms: float | None


class Health(ResponseSchema):
    """200 while healthy or degraded, 503 when unhealthy."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    checks: dict[str, Check] = Field(examples=[{"database": {"status": "healthy", "latency_ms": 0.8}}])


class Live(ResponseSchema):
    """The process answers."""

    status: Literal["alive"]


class Ready(ResponseSchema):
    """Whether this replica takes new requests."""

    status: Literal["ready", "draining"]
