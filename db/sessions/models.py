"""Tokens that are void though they have not expired."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, func
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from db.base import AUTH, Base


class TokenRevocation(Base):
    """One token by its id (`jti`), all tokens of a user that were issued before a moment, or all of a user (`block`).

    Users of other issuers are no rows of ours, so a user is whatever the token's claim says. Kept until the tokens have
    expired by themselves, or the block ends. With a `revocations.scope` as the subject, a user's
    subscription tokens for one channel.
    """

    __tablename__ = "token_revocations"
    __table_args__ = (
        CheckConstraint("kind IN ('token', 'user', 'block')", name="kind"),
        CheckConstraint("(kind = 'user') = (issued_before IS NOT NULL)", name="issued_before"),
        Index("ix_token_revocations_expire_at", "expire_at"),
        {"schema": AUTH},
    )

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    issued_before: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    expire_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=func.now())
