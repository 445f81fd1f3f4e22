"""Whose address counts: the visitor's through our front end, the peer's from everybody else."""

from tests.fixtures.addresses import noted_address
from tests.fixtures.stack import RunningStack

MADE_UP = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Mobula-Frontend": "guess"}


async def test_a_visitor_of_the_front_end_is_known_by_their_own_address(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    assert await noted_address(page, "127.0.0.41") == "127.0.0.41"
    assert await noted_address(stack_page.http_url, "127.0.0.42") == "127.0.0.42"


async def test_nobody_can_borrow_another_address(stack_page: RunningStack) -> None:
    page = f"http://127.0.0.1:{stack_page.ports.frontend}"
    assert await noted_address(page, "127.0.0.43", **MADE_UP) == "127.0.0.43"
    assert await noted_address(stack_page.http_url, "127.0.0.44", **MADE_UP) == "127.0.0.44"
