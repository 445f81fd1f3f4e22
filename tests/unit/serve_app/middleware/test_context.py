"""Who calls, and which route it was."""

from types import SimpleNamespace
from typing import Any

import pytest

from serve_app.middleware.context import AddressFinder, request_headers, route_template

PROXY = "10.0.0.1"


def scope(peer: str | None, forwarded: str | None = None) -> dict[str, Any]:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    return {"headers": headers, "client": None if peer is None else (peer, 1)}


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "127.0.0.1", "203.0.113.9"),
        (PROXY, "203.0.113.9", "203.0.113.9"),
        (PROXY, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (PROXY, "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (PROXY, "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (PROXY, "spoofed", PROXY),
        (PROXY, "", PROXY),
        (PROXY, None, PROXY),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("unix", "203.0.113.9", "unix"),
        (None, "203.0.113.9", ""),
    ],
)
def test_trust_reaches_as_far_as_our_proxies(peer: str | None, forwarded: str | None, found: str):
    assert AddressFinder(["10.0.0.0/24", "::1"]).find(scope(peer, forwarded)) == found


def test_found_once_per_request():
    request = scope("203.0.113.9")
    finder = AddressFinder([])
    finder.find(request)
    request["client"] = ("other", 1)
    assert finder.find(request) == "203.0.113.9"


def test_headers_are_read_once():
    request = scope(None, "a")
    assert request_headers(request) is request_headers(request)
    assert request_headers(request)[b"x-forwarded-for"] == b"a"


def test_templates_carry_the_prefix():
    effective = SimpleNamespace(path="/api/v1/items/{id}")
    assert route_template({"fastapi": {"effective_route_context": effective}}) == "/api/v1/items/{id}"
    assert route_template({"route": SimpleNamespace(path="/docs")}) == "/docs"
    assert route_template({}) == "__unmatched__"
