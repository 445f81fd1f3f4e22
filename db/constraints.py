"""Which constraint a statement ran into."""

from sqlalchemy.exc import IntegrityError


def violated(error: IntegrityError) -> str:
    """Name of the violated constraint or unique index; empty when the driver does not say."""
    cause = getattr(error.orig, "__cause__", None)
    return str(getattr(cause, "constraint_name", None) or "")
