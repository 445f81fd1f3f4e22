"""The one chain that every request passes, in order."""

from starlette.types import ASGIApp
from starlette_compress import CompressMiddleware

from cluster.settings import Settings
from serve_app.middleware.access_log import AccessLines, AccessLogMiddleware
from serve_app.middleware.authentication import AuthenticationMiddleware
from serve_app.middleware.body_limit import BodyLimitMiddleware
from serve_app.middleware.cache_version import CacheVersionMiddleware
from serve_app.middleware.context import AddressFinder
from serve_app.middleware.head_on_get import HeadOnGetMiddleware
from serve_app.middleware.http_metrics import HttpMetricsMiddleware
from serve_app.middleware.origins import OriginMiddleware
from serve_app.middleware.probes import ProbeBypass
from serve_app.middleware.rate_limit import RateLimitMiddleware
from serve_app.middleware.request_id import RequestIdMiddleware
from serve_app.middleware.response import ResponseNotesMiddleware
from serve_app.middleware.security_headers import SecurityHeadersMiddleware
from serve_app.middleware.tracing import TracingMiddleware
from serve_app.middleware.versioning import VersioningMiddleware
from serve_app.security.authenticator import Authenticator
from serve_app.security.quota import Policy, QuotaKeeper

COMPRESS_FROM_BYTES = 1024
"""Smaller bodies gain less than they cost."""

ALLOWED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ALLOWED_HEADERS = (
    "Authorization",
    "Cache-Version",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-API-Key",
    "X-Mobula-CSRF",
    "X-Request-ID",
    "traceparent",
)
EXPOSED_HEADERS = (
    "API-Version",
    "Cache-Version",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
    "X-Total-Count",
)


def wrap(
    app: ASGIApp,
    settings: Settings,
    *,
    authenticator: Authenticator,
    keeper: QuotaKeeper,
    addresses: AddressFinder,
    lines: AccessLines,
) -> ASGIApp:
    """The application inside the chain. Read from the bottom: the last one added sees a request first."""
    short = HeadOnGetMiddleware(app)
    app = CacheVersionMiddleware(app)
    app = BodyLimitMiddleware(app)
    app = CompressMiddleware(app, minimum_size=COMPRESS_FROM_BYTES)
    app = HeadOnGetMiddleware(app)
    app = AuthenticationMiddleware(app, authenticator=authenticator)
    if settings.rate_limit_per_minute > 0:
        policy = Policy("default", settings.rate_limit_per_minute)
        app = RateLimitMiddleware(app, keeper=keeper, policy=policy, authenticator=authenticator, addresses=addresses)
    app = VersioningMiddleware(app)
    app = OriginMiddleware(
        app,
        allow_origins=settings.backend_cors_origins,
        allow_methods=ALLOWED_METHODS,
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        allow_credentials=True,
        max_age=600,
    )
    app = ProbeBypass(app, short)
    # Outside CORS, so that answers to preflights and probes have these headers too (DECISIONS, D-142).
    app = SecurityHeadersMiddleware(app, strict_transport=settings.environment == "production")
    app = HttpMetricsMiddleware(app)
    app = AccessLogMiddleware(app, addresses=addresses, lines=lines)
    if settings.otel_enabled:
        app = TracingMiddleware(app)  # outside the log, whose lines name the trace
    return ResponseNotesMiddleware(RequestIdMiddleware(app, addresses=addresses))
