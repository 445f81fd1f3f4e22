"""Remembered answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, Base


class IdempotencyKey(Base):
    """The answer that was given to one key of one principal on one route."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"), {"schema": APP})

    principal: Mapped[str] = mapped_column(String(80), primary_key=True)
    route: Mapped[str] = mapped_column(String(160), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status_code: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
