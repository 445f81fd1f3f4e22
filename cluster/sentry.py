"""Sentry by its DSN. Without one nothing is imported and nothing leaves the machine."""

from typing import Any

from cluster.logging import clean
from cluster.settings import Settings


def configure(settings: Settings, *, process: str, transport: Any = None) -> bool:
    """Report unhandled errors of this process. Returns whether Sentry is on. `transport` is for tests."""
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        return False
    import sentry_sdk  # noqa: PLC0415 - 60 ms that a process without Sentry does not pay

    sentry_sdk.init(
        dsn=dsn,
        environment=settings.environment,
        include_local_variables=False,  # they hold passwords and tokens
        max_request_body_size="never",
        before_send=scrub,  # type: ignore[arg-type]  # its Event type is a TypedDict; we treat it as the mapping it is
        transport=transport,
    )
    sentry_sdk.set_tag("process", process)
    return True


def scrub(event: dict[str, Any], _hint: object) -> dict[str, Any]:
    """Apply the redaction of our logs to everything that would be sent."""
    return {name: clean(name, value) for name, value in event.items()}
