"""Orders, their lines and what happened to them."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, String, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.base import APP, Base, Identified, Timestamped, Versioned


class OrderItem(Identified, Base):
    """One line: what was bought, with name and price as they were then."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("uq_order_items_order_id_position", "order_id", "position", unique=True),
        {"schema": APP},
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("app.orders.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("app.products.id", ondelete="RESTRICT"), index=True)
    product_name: Mapped[str] = mapped_column(String(160))
    sku: Mapped[str] = mapped_column(String(40))
    unit_price: Mapped[Decimal]
    quantity: Mapped[int] = mapped_column(Integer)
    line_total: Mapped[Decimal]


class OrderStatusChange(Base):
    """One step of an order. The first has no `previous`."""

    __tablename__ = "order_status_history"
    __table_args__ = (Index("ix_order_status_history_order_id_id", "order_id", "id"), {"schema": APP})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("app.orders.id", ondelete="CASCADE"))
    previous: Mapped[str | None] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="SET NULL"), index=True)
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Order(Identified, Timestamped, Versioned, Base):
    """What a customer ordered."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'paid', 'packed', 'shipped', 'delivered', 'cancelled')", name="status_known"
        ),
        Index("ix_orders_user_id_created_at_id", "user_id", "created_at", "id"),
        Index("ix_orders_created_at_id", "created_at", "id"),
        Index("ix_orders_status_created_at", "status", "created_at"),
        {"schema": APP},
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=False, start=100001), unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="RESTRICT"))
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.organisations.id", ondelete="SET NULL"), index=True)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'pending'"))
    currency: Mapped[str] = mapped_column(String(3), server_default=text("'EUR'"))
    total_amount: Mapped[Decimal]
    item_count: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(server_default=text("''"))

    items: Mapped[list[OrderItem]] = relationship(lazy="raise", order_by=OrderItem.position, passive_deletes=True)
    history: Mapped[list[OrderStatusChange]] = relationship(
        lazy="raise", order_by=OrderStatusChange.id, passive_deletes=True
    )

    @property
    def order_number(self) -> str:
        """The number that people read out: M-100042."""
        return f"M-{self.number}"
