"""Tables of the roster. Declared for Alembic; `store` and `service` speak to them directly."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Integer, LargeBinary, SmallInteger, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, Base


class SessionHub(Base):
    """A process whose connections are on the roster. `beat` grows while it lives."""

    __tablename__ = "session_hubs"
    __table_args__ = ({"schema": APP},)

    boot: Mapped[str] = mapped_column(Text, primary_key=True)
    beat: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    batch: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SessionRosterRow(Base):
    """A connection (channel '') or a connection in a channel. Deleting the row is the leave."""

    __tablename__ = "session_roster"
    __table_args__ = (Index("ix_session_roster_boot", "boot"), {"schema": APP})

    client: Mapped[str] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    boot: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(Text)
    session: Mapped[str] = mapped_column(Text)
    wanted: Mapped[int] = mapped_column(SmallInteger)
    conn_info: Mapped[bytes | None] = mapped_column(LargeBinary)
    chan_info: Mapped[bytes | None] = mapped_column(LargeBinary)
    entered_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SessionChannel(Base):
    """How many connections of the roster are in a channel."""

    __tablename__ = "session_channels"
    __table_args__ = ({"schema": APP},)

    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    members: Mapped[int] = mapped_column(BigInteger)


class SessionEventRow(Base):
    """One event. `position` is its id, and its place in commit order."""

    __tablename__ = "session_events"
    __table_args__ = (Index("ix_session_events_occurred_at", "occurred_at"), {"schema": APP})

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    client: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(Text)
    session: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    hub: Mapped[str] = mapped_column(Text)
    code: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    occurred_at: Mapped[datetime]


class SessionEventHandler(Base):
    """How far a handler has come. Its row is also the lock that keeps its events in order."""

    __tablename__ = "session_event_handlers"
    __table_args__ = ({"schema": APP},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
