"""Cache invalidations as rows of the transaction that made cached values wrong (DESIGN §5, 13)."""

from db.caches.service import invalidate

__all__ = ["invalidate"]
