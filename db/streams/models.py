"""Tables of durable streams. Declared for Alembic; `db.streams.store` speaks to them directly (DESIGN D14)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, Base


class StreamBucket(Base):
    """Who owns a bucket of channels: `owner` is an incarnation. `fence` grows with every take-over, `version` with
    every move to another shard.
    """

    __tablename__ = "stream_buckets"
    __table_args__ = ({"schema": APP},)

    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    shard: Mapped[int] = mapped_column(SmallInteger)
    fence: Mapped[int] = mapped_column(BigInteger)
    owner: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StreamHead(Base):
    """Epoch and newest committed offset of a channel. Outlives the publications, until `expires_at`."""

    __tablename__ = "stream_heads"
    __table_args__ = (Index("ix_stream_heads_expires_at", "expires_at"), {"schema": APP})

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[str] = mapped_column(Text)
    top: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    version_epoch: Mapped[str] = mapped_column(Text, server_default=text("''"))
    expires_at: Mapped[datetime]


class StreamPublication(Base):
    """One committed publication. `attributes` holds what most do not have: publisher, tags, exclusions."""

    __tablename__ = "stream_publications"
    __table_args__ = (
        UniqueConstraint("channel", "publication_id"),
        Index("ix_stream_publications_expires_at", "expires_at"),
        {"schema": APP},
    )

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    publication_id: Mapped[str] = mapped_column(Text)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]


class MapKey(Base):
    """The newest value of one key of a persistent map, and the offset of the change that made it."""

    __tablename__ = "map_keys"
    __table_args__ = ({"schema": APP},)

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    score: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    version_epoch: Mapped[str] = mapped_column(Text, server_default=text("''"))
    time_ms: Mapped[int] = mapped_column(BigInteger)


class PublicationKey(Base):
    """An idempotency key that a caller used on a channel, and what came of it."""

    __tablename__ = "publication_keys"
    __table_args__ = (Index("ix_publication_keys_expires_at", "expires_at"), {"schema": APP})

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[str] = mapped_column(Text)
    offset: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]
