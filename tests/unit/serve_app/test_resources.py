"""The clients of a process."""

import pytest

from db.session import Database
from serve_app.resources import ActorClients, Resources
from tests.fakes.actors import FakeCache
from tests.fixtures.client import SIGNING_KEYS, build_settings


def assemble(**settings: object) -> Resources:
    database = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1, max_overflow=0, application_name="test")
    return Resources.assemble(build_settings(**settings), database, keys=SIGNING_KEYS)


async def test_assembling_connects_to_nothing():
    resources = assemble(redis_url="redis://127.0.0.1:1/0")
    assert resources.valkey is not None
    await resources.close()


async def test_production_cookies_are_secure():
    assert assemble(environment="production").secure_cookies
    assert not assemble().secure_cookies


async def test_a_missing_secret_is_named():
    with pytest.raises(ValueError, match="SECRET_KEY"):
        assemble(secret_key="")


async def test_a_balancer_that_haproxy_believes_is_nobodys_address():
    seen = {"client": ("127.0.0.1", 5), "headers": [(b"x-forwarded-for", b"203.0.113.9, 10.0.0.5")]}
    assert assemble().addresses.find(dict(seen)) == "10.0.0.5"
    assert assemble(forwarded_for_from=["10.0.0.5"]).addresses.find(dict(seen)) == "203.0.113.9"


async def test_cached_values_are_loaded_once_with_a_cache_and_each_time_without():
    resources, loads = assemble(), 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        return loads

    assert [await resources.cached("key", load, ttl_s=1) for _ in range(2)] == [1, 2]
    resources.actors = ActorClients(cache=FakeCache())
    assert [await resources.cached("key", load, ttl_s=1) for _ in range(2)] == [3, 3]


async def test_what_load_raises_comes_through():
    async def fail() -> int:
        raise LookupError

    resources = assemble()
    resources.actors = ActorClients(cache=FakeCache())
    with pytest.raises(LookupError):
        await resources.cached("key", fail, ttl_s=1)
    resources.measure()
