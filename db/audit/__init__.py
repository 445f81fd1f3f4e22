"""Who changed what: row changes of accounts by trigger, and security events by record."""

from db.audit.service import record

__all__ = ["record"]
