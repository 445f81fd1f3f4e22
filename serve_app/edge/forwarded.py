"""Who really calls, by what trusted proxies say: uvicorn's rules, applied once per address instead of per request."""

from typing import Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

READ: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})

KEPT: Final = 1_024
LONGEST_KEPT: Final = 128
"""Outcomes kept, and the longest headers (bytes) of them."""

Outcome = tuple[tuple[str, int] | None, str]
"""`client` and `scheme` of the scope; None: who connected is who calls."""


class ForwardedAddresses:
    """Corrects `client` and `scheme` of scopes, as uvicorn's `proxy_headers` would."""

    def __init__(self, trusted: list[str]) -> None:
        """`trusted`: addresses or networks of proxies."""
        self._rules = ProxyHeadersMiddleware(_nothing, trusted)
        self._known: dict[tuple[Any, ...], Outcome] = {}

    async def correct(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do it for one request or handshake."""
        said = [header for header in scope["headers"] if header[0] in READ]
        if not said:
            return
        client = scope.get("client")
        key = (client and client[0], scope["scheme"], *said)
        known = self._known.get(key)
        if known is None:
            await self._rules(scope, receive, send)  # type: ignore[arg-type]  # uvicorn has its own ASGI types
            found = scope.get("client")
            known = (None if found is client else found, scope["scheme"])
            if len(self._known) < KEPT and sum(len(value) for _, value in said) <= LONGEST_KEPT:
                self._known[key] = known
        if known[0] is not None:
            scope["client"] = known[0]
        scope["scheme"] = known[1]


async def _nothing(*_: Any) -> None:
    """Uvicorn's middleware wants an application behind it."""
