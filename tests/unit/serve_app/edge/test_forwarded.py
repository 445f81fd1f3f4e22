"""The same outcome as uvicorn's middleware where a caller has an address, the first time and every time after it."""

from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from serve_app.edge import forwarded
from serve_app.edge.forwarded import KEPT, LONGEST_KEPT, ForwardedAddresses

TRUSTED = ["127.0.0.1", "10.0.0.0/8"]
Headers = list[tuple[bytes, bytes]]


def scope_of(client: tuple[str, int] | None, headers: Headers, kind: str = "http") -> dict[str, Any]:
    scheme = "http" if kind == "http" else "ws"
    return {"type": kind, "client": client, "scheme": scheme, "headers": [(b"host", b"a"), *headers]}


async def nothing(*_: Any) -> None:
    return None


async def corrected(addresses: ForwardedAddresses, *given: Any) -> tuple[Any, str]:
    scope = scope_of(*given)
    await addresses.correct(scope, nothing, nothing)  # type: ignore[arg-type]
    return scope["client"], scope["scheme"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("client", [("127.0.0.1", 4), ("10.1.2.3", 4), ("198.51.100.1", 4), None])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-forwarded-for", b"203.0.113.9")],
        [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.1")],
        [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"203.0.113.10")],
        [(b"x-forwarded-for", b"203.0.113.9:1234")],
        [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.1:80, [2001:db8::1]:80")],
        [(b"x-forwarded-for", b"")],
        [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")],
        [(b"x-forwarded-proto", b"gopher")],
    ],
)
async def test_it_is_what_uvicorn_says(kind: str, client: tuple[str, int] | None, headers: Headers) -> None:
    expected = scope_of(client, headers, kind)
    await ProxyHeadersMiddleware(nothing, TRUSTED)(expected, nothing, nothing)  # type: ignore[arg-type]
    addresses = ForwardedAddresses(TRUSTED)
    for _ in range(2):
        assert await corrected(addresses, client, headers, kind) == (expected["client"], expected["scheme"])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("nonsense", "127.0.0.1"),
        ("203.0.113.9, unknown", "127.0.0.1"),
        ("203.0.113.9, unknown, 10.0.0.1", "10.0.0.1"),
        ("unknown, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("unknown, 10.0.0.2, 10.0.0.1", "10.0.0.2"),
    ],
)
async def test_unlike_with_uvicorn_a_caller_has_an_address(said: str, found: str) -> None:
    client, _ = await corrected(ForwardedAddresses(TRUSTED), ("127.0.0.1", 4), [(b"x-forwarded-for", said.encode())])
    assert client[0] == found


TOKEN = "0badc0ffee"
PROVEN = (b"x-mobula-proxy", TOKEN.encode())
SAID = (b"x-forwarded-for", b"203.0.113.9")


@pytest.mark.parametrize(
    ("token", "headers", "found"),
    [
        (TOKEN, [SAID, PROVEN], "203.0.113.9"),
        (TOKEN, [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.1"), PROVEN], "203.0.113.9"),
        (TOKEN, [(b"x-forwarded-for", b"203.0.113.9, 198.51.100.7"), PROVEN], "198.51.100.7"),
        (TOKEN, [PROVEN], "198.51.100.1"),
        (TOKEN, [SAID, (b"x-mobula-proxy", b"guess")], "198.51.100.1"),
        (TOKEN, [SAID], "198.51.100.1"),
        ("", [SAID, (b"x-mobula-proxy", b"")], "198.51.100.1"),
    ],
)
async def test_a_haproxy_of_another_node_is_known_by_its_token(token: str, headers: Headers, found: str) -> None:
    addresses = ForwardedAddresses(TRUSTED, token)
    for _ in range(2):
        scope = scope_of(("198.51.100.1", 4), headers)
        await addresses.correct(scope, nothing, nothing)  # type: ignore[arg-type]
        assert scope["client"][0] == found
        assert all(name != b"x-mobula-proxy" for name, _ in scope["headers"])


async def test_who_is_not_trusted_keeps_the_port_of_each_connection() -> None:
    addresses = ForwardedAddresses(TRUSTED)
    headers = [(b"x-forwarded-for", b"203.0.113.9")]
    for port in (4, 5):
        assert await corrected(addresses, ("198.51.100.1", port), headers) == (("198.51.100.1", port), "http")


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ForwardedAddresses(TRUSTED)
    peer = ("127.0.0.1", 4)
    long = b"203.0.113.9" + b" " * LONGEST_KEPT
    assert await corrected(addresses, peer, [(b"x-forwarded-for", long)]) == (("203.0.113.9", 0), "http")
    assert len(addresses._known) == 0
    monkeypatch.setattr(forwarded, "KEPT", 3)
    for number in range(10):
        headers = [(b"x-forwarded-for", b"203.0.113.%d" % number)]
        assert await corrected(addresses, peer, headers) == ((f"203.0.113.{number}", 0), "http")
    assert len(addresses._known) == 3 < KEPT
