"""Every table, imported once: Alembic compares this metadata with the database."""

from db.audit import models as audit
from db.auth import models as auth
from db.base import Base
from db.conversations import models as conversations
from db.events import models as events
from db.idempotency import models as idempotency
from db.notifications import models as notifications
from db.orders import models as orders
from db.outbox import models as outbox
from db.products import models as products
from db.streams import models as streams

metadata = Base.metadata

__all__ = [
    "Base",
    "audit",
    "auth",
    "conversations",
    "events",
    "idempotency",
    "metadata",
    "notifications",
    "orders",
    "outbox",
    "products",
    "streams",
]
