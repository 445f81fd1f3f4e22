"""Who really calls, by what trusted proxies say: uvicorn's rules, applied once per address instead of per request.

A HAProxy of ours is trusted wherever it is: it proves itself by a token, which goes no further.
"""

import hmac
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from cluster import names

PROOF: Final = names.PROXY_HEADER.encode()
FORWARDED_FOR: Final = b"x-forwarded-for"
READ: Final = frozenset({FORWARDED_FOR, b"x-forwarded-proto", PROOF})

KEPT: Final = 1_024
LONGEST_KEPT: Final = 160
"""Outcomes kept, and the longest headers (bytes) of them."""

Headers = list[tuple[bytes, bytes]]
Outcome = tuple[tuple[str, int] | None, str, Headers]
"""`client` and `scheme` of the scope, and headers that go no further; None: who connected is who calls."""


class ForwardedAddresses:
    """Corrects `client` and `scheme` of scopes, as uvicorn's `proxy_headers` would."""

    def __init__(self, trusted: Sequence[str], token: str = "") -> None:
        """`trusted`: addresses or networks of proxies. `token`: what a HAProxy of ours proves itself with."""
        self._token = token.encode()
        # uvicorn takes what is no address for the name of a peer: nobody but who proved itself has this one.
        self._ours = (f"haproxy-{token}", 0)
        self._rules = ProxyHeadersMiddleware(_nothing, [*trusted, *([self._ours[0]] if token else [])])
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
            known = await self._judge(client, scope, said, receive, send)
            if len(self._known) < KEPT and sum(len(value) for _, value in said) <= LONGEST_KEPT:
                self._known[key] = known
        if known[0] is not None:
            scope["client"] = known[0]
        scope["scheme"] = known[1]
        for proof in known[2]:
            scope["headers"].remove(proof)

    async def _judge(self, client: Any, scope: Scope, said: Headers, receive: Receive, send: Send) -> Outcome:
        proven = any(name == PROOF and self._is_token(value) for name, value in said)
        peer = self._ours if proven else client
        headers = [(name, value) for name, value in said if name != FORWARDED_FOR]
        if hops := _hops(said):
            headers.append((FORWARDED_FOR, b",".join(hops)))
        judged: Any = {"type": scope["type"], "client": peer, "scheme": scope["scheme"], "headers": headers}
        await self._rules(judged, receive, send)  # type: ignore[arg-type]  # uvicorn has its own ASGI types
        found = judged["client"]
        proofs = [header for header in said if header[0] == PROOF]
        return (None if found is peer else found, judged["scheme"], proofs)

    def _is_token(self, value: bytes) -> bool:
        return bool(self._token) and hmac.compare_digest(value, self._token)


def _hops(said: Headers) -> list[bytes]:
    """The last hops that are addresses: what stands before `unknown` is nobody's word."""
    hops = b",".join(value for name, value in said if name == FORWARDED_FOR).split(b",")
    count = next((place for place, hop in enumerate(reversed(hops)) if not _is_address(hop)), len(hops))
    return hops[len(hops) - count :]


def _is_address(hop: bytes) -> bool:
    """With or without a port, as uvicorn reads it."""
    host = hop.decode("latin-1").strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _nothing(*_: Any) -> None:
    """Uvicorn's middleware wants an application behind it."""
