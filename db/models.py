"""Every table, imported once: Alembic compares this metadata with the database."""

from db.audit import models as audit
from db.auth import models as auth
from db.base import Base
from db.caches import models as caches
from db.conversations import models as conversations
from db.events import models as events
from db.exports import models as exports
from db.idempotency import models as idempotency
from db.jobs import models as jobs
from db.mail import models as mail
from db.notifications import models as notifications
from db.orders import models as orders
from db.outbox import models as outbox
from db.presence import models as presence
from db.products import models as products
from db.read_positions import models as read_positions
from db.session_events import models as session_events
from db.sessions import models as sessions
from db.streams import models as streams

metadata = Base.metadata

__all__ = [
    "Base",
    "audit",
    "auth",
    "caches",
    "conversations",
    "events",
    "exports",
    "idempotency",
    "jobs",
    "mail",
    "metadata",
    "notifications",
    "orders",
    "outbox",
    "presence",
    "products",
    "read_positions",
    "session_events",
    "sessions",
    "streams",
]
