"""Facts about the catalogue."""

from typing import ClassVar
from uuid import UUID

from db.events.event import DomainEvent


class ProductChanged(DomainEvent):
    """A product was created, changed or removed (`action`)."""

    type: ClassVar[str] = "product.changed"

    product_id: UUID
    action: str
