"""Who answers in a real cluster: replicas of the right application, and nobody else (DESIGN §5, 17)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.fixtures.raw_clients import TRANSPORTS, own_token, raw_client, server_api
from tests.fixtures.stack import RunningStack, start_stack, stop_stack
from tests.fixtures.waiting import eventually


async def test_the_fallback_proxy_refuses_requests_and_sockets(stack: RunningStack) -> None:
    port = stack.ports.service("fallback_http")
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/health")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{port}/connection/websocket")
    assert refused.value.response.status_code == 503


async def test_headers_cannot_steer_serve(stack: RunningStack) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{stack.http_url}/health/live", headers={"X-Request-Timeout-Seconds": "0.000001"})
    assert answer.status_code == 200


async def test_headers_that_never_change_reach_the_client_once(stack: RunningStack) -> None:
    async with httpx.AsyncClient() as http:
        answers = [await http.get(f"{stack.http_url}{path}") for path in ("/health/live", "/api/v1/products", "/no")]
    for answer in answers:
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert len(answer.headers.get_list("content-security-policy")) == 1
        assert len(answer.headers.get_list("date")) == 1
    assert answers[1].headers["api-version"] == "1"


async def test_both_applications_answer_through_haproxy(stack: RunningStack) -> None:
    async with httpx.AsyncClient() as http:
        realtime = await http.get(f"{stack.http_url}/connection/health")
        api = await http.get(f"{stack.http_url}/health/live")
    assert (realtime.status_code, realtime.json()["status"]) == (200, "healthy")
    assert api.status_code == 200


@pytest.fixture
def served_by_serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    folder = Path(tempfile.mkdtemp(prefix="mobula-machinery-"))
    folder.chmod(0o755)
    monkeypatch.setenv("SERVE_MACHINERY", "true")
    try:
        mine = start_stack(folder / "home", "--no-frontend")
        yield mine
        stop_stack(mine)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_one_switch_runs_everything_through_serves_own_machinery(served_by_serve: RunningStack) -> None:
    """DESIGN D6: what the edge does must not be all that works. REST with its errors, and each realtime transport."""
    stack = served_by_serve
    async with httpx.AsyncClient(base_url=stack.http_url) as http:
        products = await http.get("/api/v1/products", params={"limit": 1})
        assert (products.status_code, len(products.json()["items"])) == (200, 1)
        # Serve gives every request a UUID; the edge counts.
        assert {str(UUID(given)) for given in products.headers.get_list("x-request-id", split_commas=True)}
        missing = await http.get("/api/v1/no")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    base = f"{stack.http_url}/connection"
    for transport in TRANSPORTS:
        channel = f"room:{transport}"
        async with raw_client(base, transport, token=own_token(stack, "served")) as client:
            assert "subscribe" in await client.ask("subscribe", channel=channel)
            assert await server_api(stack, "publish", channel=channel, data={"through": "serve"})
            await eventually(lambda client=client, channel=channel: client.heard(channel) == [{"through": "serve"}])
