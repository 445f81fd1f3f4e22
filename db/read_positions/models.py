"""Read positions."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, Base


class ReadPosition(Base):
    """The newest publication of a channel that a user has read. Users are text: they may be another issuer's."""

    __tablename__ = "read_positions"
    __table_args__ = (Index("ix_read_positions_user_id", "user_id"), {"schema": APP})

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[str] = mapped_column(Text)
    offset: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime] = mapped_column(server_default=func.now())
