"""Publications made inside a transaction: they go out when it commits, in commit order, or not at all."""

from db.outbox.service import publish

__all__ = ["publish"]
