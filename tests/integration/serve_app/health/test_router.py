"""Health over HTTP."""

import asyncio

import httpx
import pytest

from serve_app.health.sharing import MAX_AGE_S, SharedLook
from tests.fixtures.client import Api, StartApi
from tests.fixtures.waiting import eventually


async def test_healthy_names_its_parts(start_api: StartApi, redis_url: str):
    api = await start_api(redis_url=redis_url)
    async with api.client() as client:
        response = await client.get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "healthy"
    assert set(response.json()["checks"]) == {"database", "valkey"}
    assert response.json()["checks"]["database"]["latency_ms"] > 0
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", ""], ids=["does not answer", "was never there"])
async def test_valkey_gone_is_degraded(start_api: StartApi, url: str):
    api = await start_api(redis_url=url)
    async with api.client() as client:
        response = await client.get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["checks"]["valkey"] == {"status": "degraded", "latency_ms": None}


async def test_actors_gone_is_503(api: Api, client: httpx.AsyncClient):
    async def fine() -> None:
        pass

    async def gone() -> None:
        raise TimeoutError("a secret address")

    now = watch_clock(api)
    api.resources.actors.check = fine
    assert (await client.get("/health")).json()["checks"]["actors"]["status"] == "healthy"
    api.resources.actors.check = gone
    now[0] += MAX_AGE_S
    response = await client.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert "secret" not in response.text


def watch_clock(api: Api) -> list[float]:
    """Let findings age by a clock that stands still until it is moved."""
    now = [0.0]
    shared: SharedLook = api.app.state.health
    shared._clock = lambda: now[0]
    return now


async def test_many_requests_make_one_check(api: Api):
    looks, door = [0], asyncio.Event()

    async def check() -> None:
        looks[0] += 1
        await door.wait()

    now = watch_clock(api)
    api.resources.actors.check = check
    async with api.client() as client:
        asking = [asyncio.create_task(client.get("/health")) for _ in range(200)]
        await eventually(lambda: looks == [1])
        door.set()
        answers = await asyncio.gather(*asking, *[client.get("/health") for _ in range(20)])
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["timestamp"] for answer in answers}) == 1
        assert looks == [1]
        now[0] += MAX_AGE_S
        later = await client.get("/health")
    assert looks == [2]
    assert later.json()["timestamp"] > answers[0].json()["timestamp"]


async def test_postgres_gone_is_503(start_api: StartApi, monkeypatch: pytest.MonkeyPatch):
    api = await start_api()
    monkeypatch.setattr(api.database.engine.sync_engine.pool, "connect", refuse)
    async with api.client() as client:
        response = await client.get("/health")
        assert response.status_code == 503
        assert response.json()["checks"]["database"]["status"] == "unhealthy"
        assert (await client.get("/health/live")).json() == {"status": "alive"}


def refuse(*_: object) -> None:
    raise ConnectionRefusedError


async def test_ready_until_drained(api: Api, client: httpx.AsyncClient):
    assert (await client.get("/health/ready")).json() == {"status": "ready"}
    await api.app.drain(30)
    response = await client.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert (await client.get("/api/v1/categories")).status_code == 200
