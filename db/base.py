"""The declarative base: names of constraints, schemas, and the columns that most tables share."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, MetaData, Numeric, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

AUTH = "auth"
APP = "app"
AUDIT = "audit"
JOBS = "jobs"
SCHEMAS = (AUTH, APP, AUDIT, JOBS)
"""Every schema that belongs to Mobula."""

NEW_ID = text("app.new_id()")
"""Server-side id: `uuidv7()` where the server has it (18), `gen_random_uuid()` before. Defined in 0001_initial."""

EMPTY_OBJECT = text("'{}'::jsonb")
EMPTY_LIST = text("'{}'::text[]")


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as declared
        UUID: Uuid(as_uuid=True),
        datetime: DateTime(timezone=True),
        str: Text(),
        Decimal: Numeric(12, 2),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        list[str]: ARRAY(Text()),
    }
    # Server defaults and onupdate values come back with RETURNING: an async session cannot load them lazily.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012


class Identified:
    """A UUID made by the database."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_ID)


class Timestamped:
    """When a row was made and last changed through the ORM."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Versioned:
    """An integer that every ORM update raises and compares: the ETag of the resource."""

    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        """Compare-and-swap on `version`; a lost race surfaces as PreconditionFailed."""
        return {"eager_defaults": True, "version_id_col": cls.version}
