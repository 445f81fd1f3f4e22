"""Who is charged, and what a refusal says."""

from typing import Any
from uuid import UUID

import pytest

from serve_app.middleware.context import AddressFinder
from serve_app.middleware.rate_limit import RateLimitMiddleware
from serve_app.security.principal import Principal
from serve_app.security.quota import Policy, QuotaKeeper
from tests.fakes.asgi import Answer, Exchange
from tests.fakes.clock import ManualClock

USER, KEY = UUID(int=1), UUID(int=2)


class Knowing:
    """An authenticator that knows who it is."""

    def __init__(self, principal: Principal | None = None) -> None:
        self.principal = principal

    async def identify(self, scope: Any) -> None:
        if self.principal is not None:
            scope["principal"] = self.principal


def limit(principal: Principal | None = None, keeper: QuotaKeeper | None = None) -> RateLimitMiddleware:
    return RateLimitMiddleware(
        Answer(),
        keeper=keeper or QuotaKeeper(None, clock=ManualClock().monotonic),
        policy=Policy("default", 2),
        authenticator=Knowing(principal),  # type: ignore[arg-type]
        addresses=AddressFinder([]),
    )


def user(api_key_id: UUID | None = None) -> Principal:
    return Principal(USER, "ada", frozenset(), frozenset(), "bearer", api_key_id=api_key_id)


@pytest.mark.parametrize("principal", [None, user(), user(KEY)])
async def test_the_third_of_two_is_refused(principal: Principal | None):
    middleware = limit(principal)
    exchanges = [await Exchange().through(middleware) for _ in range(3)]
    assert [exchange.status for exchange in exchanges] == [200, 200, 429]
    assert exchanges[0].headers["ratelimit"] == '"default";r=1;t=30'
    assert exchanges[2].headers["retry-after"] == "30"
    assert exchanges[2].headers["ratelimit-policy"] == '"default";q=2;w=60'


async def test_users_and_their_keys_and_addresses_are_told_apart():
    keeper = QuotaKeeper(None, clock=ManualClock().monotonic)
    for principal in (None, user(), user(KEY)):
        for _ in range(2):
            assert (await Exchange().through(limit(principal, keeper))).status == 200
    assert (await Exchange(client="192.0.2.9").through(limit(None, keeper))).status == 200
    assert (await Exchange(client="192.0.2.9").through(limit(user(), keeper))).status == 429


async def test_the_addresses_of_one_subscriber_share_a_quota():
    keeper = QuotaKeeper(None, clock=ManualClock().monotonic)
    clients = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:3::4", "2001:db8:1:3::1"]
    exchanges = [await Exchange(client=client).through(limit(None, keeper)) for client in clients]
    assert [exchange.status for exchange in exchanges] == [200, 200, 429, 200]


@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("POST", "/api/publish"), ("OPTIONS", "/api/v1/x")])
async def test_some_things_are_not_limited(method: str, path: str):
    middleware = limit()
    for _ in range(5):
        assert (await Exchange(method, path).through(middleware)).status == 200
