"""Whose address counts: the visitor's through our front end, the peer's from everybody else."""

import secrets

import httpx

from tests.fixtures.stack import RunningStack

MADE_UP = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Mobula-Frontend": "guess"}


async def noted_address(base: str, source: str, **headers: str) -> str:
    """Sign in from this address of the loopback network; the address that the login session was noted with."""
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(base_url=base, transport=transport, timeout=30, headers=headers) as client:
        name, password = f"address-{secrets.token_hex(5)}", secrets.token_urlsafe(18)
        account = {"username": name, "email": f"{name}@example.com", "password": password}
        registered = await client.post("/api/v1/auth/register", json=account)
        assert registered.status_code == 201, registered.text
        credentials = {"email": account["email"], "password": password, "mode": "bearer"}
        token = (await client.post("/api/v1/auth/login", json=credentials)).json()["access_token"]
        sessions = await client.get("/api/v1/auth/sessions", headers={"Authorization": f"Bearer {token}"})
        assert sessions.status_code == 200, sessions.text
        return str(sessions.json()["items"][0]["ip"])


async def test_a_visitor_of_the_front_end_is_known_by_their_own_address(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    assert await noted_address(page, "127.0.0.41") == "127.0.0.41"
    assert await noted_address(stack_page.http_url, "127.0.0.42") == "127.0.0.42"


async def test_nobody_can_borrow_another_address(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    assert await noted_address(page, "127.0.0.43", **MADE_UP) == "127.0.0.43"
    assert await noted_address(stack_page.http_url, "127.0.0.44", **MADE_UP) == "127.0.0.44"
