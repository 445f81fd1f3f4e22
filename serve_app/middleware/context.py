"""What the layers know about a request, kept in its ASGI scope."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from starlette.types import Scope

from cluster.proxies import Networks

Headers = Mapping[bytes, bytes]

UNMATCHED_ROUTE = "__unmatched__"
"""Label of requests that no route matches: a raw path would let callers make labels without bound."""


def request_headers(scope: Scope) -> Headers:
    """The request's headers by lower-case name; of repeated ones the last. Built once per request."""
    headers: Headers | None = scope.get("mobula.headers")
    if headers is None:
        headers = scope["mobula.headers"] = dict(scope["headers"])
    return headers


def route_template(scope: Scope) -> str:
    """The path of the matched route with its prefix, such as `/api/v1/orders/{order_id}`."""
    route: Any = (scope.get("fastapi") or {}).get("effective_route_context") or scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else UNMATCHED_ROUTE


KEPT_ADDRESSES = 1_024
LONGEST_KEPT = 128
"""Answers kept so that headers of frequent callers are not taken apart each time, and the longest header of them."""


class AddressFinder:
    """Who really calls: the peer, or what a trusted proxy says about it."""

    def __init__(self, trusted_proxies: list[str]) -> None:
        """`trusted_proxies` are addresses or networks."""
        self._trusted = Networks(trusted_proxies)
        self._found: dict[tuple[str, bytes], str] = {}

    def find(self, scope: Scope) -> str:
        """The caller's address. X-Forwarded-For is read from the right, and only as far as trust reaches."""
        address: str | None = scope.get("mobula.address")
        if address is None:
            address = scope["mobula.address"] = self._find(scope)
        return address

    def _find(self, scope: Scope) -> str:
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        if peer not in self._trusted:
            return peer
        forwarded = request_headers(scope).get(b"x-forwarded-for")
        if forwarded is None:
            return peer
        found = self._found.get((peer, forwarded))
        if found is None:
            found = self._walk(peer, forwarded)
            if len(self._found) < KEPT_ADDRESSES and len(forwarded) <= LONGEST_KEPT:
                self._found[peer, forwarded] = found
        return found

    def _walk(self, peer: str, forwarded: bytes) -> str:
        for hop in reversed(forwarded.decode("latin-1").split(",")):
            candidate = hop.strip()
            try:
                ip_address(candidate)
            except ValueError:
                return peer
            peer = candidate
            if candidate not in self._trusted:
                return candidate
        return peer
