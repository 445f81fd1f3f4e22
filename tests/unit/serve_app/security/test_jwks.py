import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from serve_app.security.jwks import ASK_AGAIN_S, FRESH_S, KEPT_S, MAX_BYTES, MAX_KEYS, Jwks, JwksError, monotonic_jwks
from tests.fixtures.issuer import P256, RSA, jwk, jwks
from tests.fixtures.waiting import eventually


class Issuer:
    """What it serves, how often it was asked, and a door that holds its answers back."""

    def __init__(self) -> None:
        self.body: bytes | Exception = jwks(jwk(RSA, "r"))
        self.requests = 0
        self.now = 0.0
        self.door = asyncio.Event()
        self.door.set()
        self.keys = Jwks("u", rsa_algorithm="RS256", fetch=self._fetch, clock=lambda: self.now)

    async def _fetch(self) -> bytes:
        self.requests += 1
        await self.door.wait()
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


async def test_many_who_ask_make_one_request() -> None:
    issuer = Issuer()
    issuer.door.clear()
    waiting = [asyncio.create_task(issuer.keys.refresh()) for _ in range(50)]
    await eventually(lambda: issuer.requests == 1)
    waiting[0].cancel()
    issuer.door.set()
    await asyncio.gather(*waiting[1:])
    assert issuer.requests == 1
    assert issuer.keys.find("r") is not None
    assert issuer.keys.is_current


async def test_keys_are_renewed_in_the_background_and_withdrawn_ones_forgotten() -> None:
    issuer = Issuer()
    await issuer.keys.refresh()
    issuer.body = jwks(jwk(P256, "e"))
    issuer.now = FRESH_S + 1
    assert issuer.keys.find("r") is not None
    await eventually(lambda: issuer.keys.find("e") is not None)
    assert issuer.keys.find("r") is None
    assert issuer.requests == 2


async def test_keys_outlive_an_issuer_that_is_down_for_a_day() -> None:
    issuer = Issuer()
    await issuer.keys.refresh()
    issuer.body = JwksError("down")
    issuer.now = KEPT_S - 1
    assert issuer.keys.find("r") is not None
    await eventually(lambda: issuer.requests == 2)
    assert not issuer.keys.is_current
    assert issuer.keys.find("r") is not None
    issuer.now = KEPT_S + 1
    assert issuer.keys.find("r") is None


async def test_requests_are_rare() -> None:
    issuer = Issuer()
    assert issuer.keys.may_ask
    await issuer.keys.refresh()
    assert not issuer.keys.may_ask
    issuer.now = ASK_AGAIN_S
    assert issuer.keys.may_ask


async def test_a_token_without_key_id_gets_the_only_key() -> None:
    issuer = Issuer()
    assert issuer.keys.find("") is None
    await issuer.keys.refresh()
    assert issuer.keys.find("") is not None
    issuer.body = jwks(jwk(RSA, "r"), jwk(P256, "e"))
    await issuer.keys.refresh()
    assert issuer.keys.find("") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [1]}', jwks({"kty": "oct", "k": "AA"}),
             jwks(*[jwk(RSA, str(n)) for n in range(MAX_KEYS + 1)])]
)  # fmt: skip
async def test_an_answer_of_no_use_changes_nothing(body: bytes) -> None:
    issuer = Issuer()
    await issuer.keys.refresh()
    issuer.body = body
    await issuer.keys.refresh()
    assert issuer.keys.find("r") is not None
    assert not issuer.keys.is_current


async def test_the_first_key_of_a_name_stays() -> None:
    issuer = Issuer()
    issuer.body = jwks(jwk(RSA, "k"), jwk(P256, "k"))
    await issuer.keys.refresh()
    found = issuer.keys.find("k")
    assert found is not None
    assert found.algorithm == "RS256"


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A real HTTP server with good, endless, moved and failing documents."""
    seen: dict[str, Any] = {}

    async def good(_request: web.Request) -> web.Response:
        return web.Response(body=jwks(jwk(RSA, "r")))

    async def long(_request: web.Request) -> web.Response:
        return web.Response(body=b" " * (MAX_BYTES + 1))

    async def moved(_request: web.Request) -> web.Response:
        seen["moved"] = True
        return web.Response(status=302, headers={"Location": "/good"})

    async def failing(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    application = web.Application()
    for path, handler in (("/good", good), ("/long", long), ("/moved", moved), ("/failing", failing)):
        application.router.add_get(path, handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", seen
    await runner.cleanup()


@pytest.mark.parametrize(("path", "found"), [("/good", True), ("/long", False), ("/moved", False), ("/failing", False)])
async def test_over_http(server: tuple[str, dict[str, Any]], path: str, found: bool) -> None:
    keys = monotonic_jwks(server[0] + path, rsa_algorithm="RS256")
    await keys.refresh()
    assert (keys.find("r") is not None) is found
    assert keys.is_current is found


async def test_an_address_where_nobody_listens() -> None:
    keys = monotonic_jwks("http://127.0.0.1:1/keys", rsa_algorithm="RS256")
    await keys.refresh()
    assert not keys.is_current
