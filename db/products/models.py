"""Categories and products."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.base import APP, EMPTY_OBJECT, Base, Identified, Timestamped, Versioned


class Category(Identified, Timestamped, Versioned, Base):
    """A shelf of the catalogue."""

    __tablename__ = "categories"
    __table_args__ = ({"schema": APP},)

    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(server_default=text("''"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.categories.id", ondelete="SET NULL"), index=True)
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class Product(Identified, Timestamped, Versioned, Base):
    """Something that can be bought. `stock` never falls below zero: the database refuses."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("stock >= 0", name="stock_not_negative"),
        CheckConstraint("price >= 0", name="price_not_negative"),
        Index("uq_products_sku_live", text("lower(sku)"), unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_products_name_id", "name", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_products_price_id", "price", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_products_created_at_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_products_category_id_price_id", "category_id", "price", "id"),
        Index("ix_products_attributes", "attributes", postgresql_using="gin"),
        {"schema": APP},
    )

    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.organisations.id", ondelete="SET NULL"), index=True)
    category_id: Mapped[UUID] = mapped_column(ForeignKey("app.categories.id", ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(160))
    description: Mapped[str] = mapped_column(server_default=text("''"))
    price: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(String(3), server_default=text("'EUR'"))
    stock: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    image_url: Mapped[str | None] = mapped_column(String(400))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    deleted_at: Mapped[datetime | None]

    category: Mapped[Category] = relationship(lazy="raise")
