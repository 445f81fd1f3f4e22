"""Who answers in a real cluster: replicas of the right application, and nobody else (DESIGN §5, 17)."""

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.fixtures.stack import RunningStack


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
