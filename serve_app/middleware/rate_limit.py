"""How many requests a caller may make."""

from starlette.types import ASGIApp, Receive, Scope, Send

from actors.metrics.registry import RATE_LIMITED
from db.auth.networks import caller_network
from db.errors import TooManyRequests
from serve_app.errors import domain_problem
from serve_app.middleware.context import AddressFinder
from serve_app.middleware.response import HeaderBlock, response_notes
from serve_app.security.authenticator import Authenticator
from serve_app.security.quota import Policy, QuotaKeeper

LIMITED = "/api/v"
"""Versioned REST. The realtime server API has limits of its own; health checks must always be answered."""

PROBLEM_TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class RateLimited(TooManyRequests):
    """The caller's quota is used up."""

    code = "rate_limited"
    default_message = "Too many requests; slow down."


class RateLimitMiddleware:
    """Charges the signed-in user, the API key, or else the caller's address. Answers 429 with Retry-After.

    The caller is identified first, because a quota per user cannot be evaded by changing addresses, nor shared by a
    whole office behind one. A credential that proves wrong is charged to the address.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keeper: QuotaKeeper,
        policy: Policy,
        authenticator: Authenticator,
        addresses: AddressFinder,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._policy = policy
        self._authenticator = authenticator
        self._addresses = addresses
        self._policy_name = policy.name.encode()
        terms = f'"{policy.name}";q={policy.quota};w={policy.window_s}'
        self._terms = HeaderBlock((b"ratelimit-policy", terms.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(LIMITED) or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        await self._authenticator.identify(scope)
        decision = await self._keeper.take(self._policy, self._caller(scope))
        notes = response_notes(scope)
        notes.blocks.append(self._terms)
        left = b'"%b";r=%d;t=%d' % (self._policy_name, decision.remaining, decision.reset_s)
        notes.headers.append((b"ratelimit", left))
        if decision.allowed:
            await self._app(scope, receive, send)
            return
        RATE_LIMITED.labels(self._policy.name).inc()
        error = RateLimited(
            retry_after_s=decision.retry_after_s,
            details={"violated-policies": [self._policy.name], "problem-type": PROBLEM_TYPE},
        )
        await domain_problem(scope, error)(scope, receive, send)

    def _caller(self, scope: Scope) -> str:
        principal = scope.get("principal")
        if principal is None:
            return f"address:{caller_network(self._addresses.find(scope))}"
        if principal.api_key_id is not None:
            return f"key:{principal.api_key_id}"
        return f"user:{principal.user_id}"
