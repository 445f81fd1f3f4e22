"""Who is calling. Refuses credentials that are wrong; whether one is needed at all is the handler's to say."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.errors import domain_problem
from serve_app.middleware.response import response_notes
from serve_app.security.authenticator import REFUSAL, Authenticator

AUTHENTICATED = "/api/v"
"""Versioned REST. Health, metrics and the realtime server API check what they need themselves."""

TOLERANT = frozenset(
    f"/api/v1/auth/{path}"
    for path in (
        "login",
        "login/second-factor",
        "login/passkey",
        "login/passkey/options",
        "refresh",
        "register",
        "logout",
        "email/verify",
        "password/forgot",
        "password/reset",
    )
)
"""Where people come to get a new credential, often with the old one still attached."""

NO_STORE = (b"cache-control", b"no-store")
"""What an answer to somebody in particular carries, unless its handler knows better."""


class AuthenticationMiddleware:
    """Puts `principal` into the scope, or answers 401 (403 for a forged request)."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(AUTHENTICATED):
            await self._authenticator.identify(scope)
            refusal = scope.get(REFUSAL)
            if refusal is not None and scope["path"] not in TOLERANT:
                await domain_problem(scope, refusal)(scope, receive, send)
                return
            if "principal" in scope:
                response_notes(scope).defaults.append(NO_STORE)
        await self._app(scope, receive, send)
