"""Refusals about idempotency keys."""

from db.errors import Conflict, InvalidInput


class RequestInProgress(Conflict):
    """The first request with this key has not ended."""

    code = "request_in_progress"
    default_message = "A request with this Idempotency-Key is still running."


class KeyReused(InvalidInput):
    """The same key came with another request."""

    code = "idempotency_key_reused"
    default_message = "This Idempotency-Key was used for a different request."
