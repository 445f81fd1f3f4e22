"""Headers that tell browsers what a response may be used for."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.middleware.response import HeaderBlock, response_notes

API_POLICY = b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
DOCS_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
DOCS_PATH = "/docs"
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")

COMMON = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),  # for browsers that do not know frame-ancestors
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
]


class SecurityHeadersMiddleware:
    """Adds them to every response, errors included."""

    def __init__(self, app: ASGIApp, *, strict_transport: bool) -> None:
        self._app = app
        extra = [STRICT_TRANSPORT] if strict_transport else []
        self._api = HeaderBlock(*COMMON, *extra, (b"content-security-policy", API_POLICY))
        self._docs = HeaderBlock(*COMMON, *extra, (b"content-security-policy", DOCS_POLICY))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response_notes(scope).blocks.append(self._docs if scope["path"].startswith(DOCS_PATH) else self._api)
        await self._app(scope, receive, send)
