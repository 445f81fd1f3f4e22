"""What users say about themselves."""

from datetime import datetime

from sqlalchemy import Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, Base


class UserPresence(Base):
    """A user's status until `expires_at`, and when they were last seen doing something."""

    __tablename__ = "user_presence"
    __table_args__ = ({"schema": APP},)

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    status: Mapped[str] = mapped_column(Text, server_default=text("''"))
    message: Mapped[str] = mapped_column(Text, server_default=text("''"))
    expires_at: Mapped[datetime | None]
    last_active_at: Mapped[datetime] = mapped_column(server_default=func.now())
