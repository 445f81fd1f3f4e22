"""The invalidation log that cache shards follow."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from db.base import Base


class Xid8(UserDefinedType[int]):
    """Postgres' 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


class CacheInvalidation(Base):
    """What a committed transaction made wrong in caches.

    Identity order is not commit order, so readers follow `xid` behind a snapshot's horizon instead
    (`db.caches.service.read_since`).
    """

    __tablename__ = "cache_invalidations"
    __table_args__ = (
        Index("ix_cache_invalidations_xid", "xid"),
        Index("ix_cache_invalidations_created_at", "created_at"),
        {"schema": "app"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8(), server_default=text("pg_current_xact_id()"))
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())
