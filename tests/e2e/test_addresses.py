"""Whose address counts: the visitor's through our front end, the peer's from everybody else."""

import re

import httpx

from tests.fixtures.stack import RunningStack


async def left(base: str, source: str, **headers: str) -> int:
    """Ask once from this address of the loopback network; how many requests it has left."""
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(base_url=base, transport=transport, timeout=30) as client:
        answer = await client.get("/api/v1/categories", headers=headers)
    assert answer.status_code == 200, answer.text
    found = re.search(r"r=(\d+)", answer.headers["ratelimit"])
    assert found is not None, answer.headers["ratelimit"]
    return int(found[1])


async def test_visitors_of_the_front_end_have_quotas_of_their_own(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    first = await left(page, "127.0.0.41")
    assert await left(page, "127.0.0.41") == first - 1
    assert await left(page, "127.0.0.42") == first


async def test_a_visitor_cannot_borrow_another_address(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    first = await left(page, "127.0.0.43")
    made_up = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Mobula-Frontend": "guess"}
    assert await left(page, "127.0.0.43", **made_up) == first - 1
    direct = await left(stack_page.http_url, "127.0.0.44")
    assert await left(stack_page.http_url, "127.0.0.44", **made_up) == direct - 1
