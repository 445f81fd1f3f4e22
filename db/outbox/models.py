"""The outbox table. Rows live from their transaction's commit until the channel's owner has published them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Computed, Identity, Index, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from db.base import APP, Base


class TransactionId(UserDefinedType[int]):
    """Postgres' 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


class OutboxEntry(Base):
    """One publication that a transaction asks for.

    A deferred trigger gives `position` at commit while it holds the channel's lock, so that per channel it is the order
    of commits. Written through the SQL function `app.publish`, which any language can call.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("octet_length(channel) BETWEEN 1 AND 255", name="channel"),
        Index("ix_outbox_position", "position", unique=True, postgresql_where=text("position IS NOT NULL")),
        Index("ix_outbox_unnumbered", "xid", postgresql_where=text("position IS NULL")),
        {"schema": APP},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    channel: Mapped[str] = mapped_column(Text)
    bucket: Mapped[int] = mapped_column(SmallInteger, Computed("app.bucket_of(channel)", persisted=True))
    namespace: Mapped[str] = mapped_column(Text, Computed("app.namespace_of(channel)", persisted=True))
    data: Mapped[Any] = mapped_column(JSONB)
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    idempotency_key: Mapped[str] = mapped_column(Text, server_default=text("''"))
    xid: Mapped[int] = mapped_column(TransactionId(), server_default=text("pg_current_xact_id()"))
    position: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
