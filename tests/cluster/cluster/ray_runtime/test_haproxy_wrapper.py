"""HAProxy as it really runs, with what the wrapper made of its configuration."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from cluster.names import FRONTEND_HEADER, PROXY_HEADER
from serve_app.edge.body import READ_S
from serve_app.middleware.body_limit import LEAST_BYTES_PER_S
from tests.fixtures.addresses import noted_address
from tests.fixtures.faults import replicas
from tests.fixtures.stack import BALANCER, RunningStack
from tests.fixtures.waiting import eventually

STRANGER = "127.0.0.2"
"""Loopback, and none of the addresses that HAProxy takes for a proxy of ours."""

CAP = 5


def client(stack: RunningStack, address: str | None = None) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(transport=transport, base_url=stack.http_url, timeout=30)


@pytest.fixture
async def capped(stack: RunningStack) -> AsyncIterator[RunningStack]:
    """The stack with a small cap, from HAProxy's next start on."""
    file = stack.paths.haproxy / "options.json"
    before = file.read_text()
    file.write_text(json.dumps(json.loads(before) | {"connections_per_address": CAP}))
    await asyncio.to_thread(stack.redeploy, "api")
    yield stack
    file.write_text(before)
    await asyncio.to_thread(stack.redeploy, "api")


async def test_one_address_may_hold_so_many_connections_and_is_told_so(capped: RunningStack) -> None:
    held = [
        socket.create_connection(("127.0.0.1", capped.ports.http), source_address=(STRANGER, 0)) for _ in range(CAP)
    ]
    async with client(capped, STRANGER) as stranger, client(capped) as ours:
        answer = await eventually(lambda: _refused(stranger))
        assert (answer.status_code, answer.json()["code"]) == (429, "connections_per_address")
        assert answer.headers["Retry-After"]
        assert (await ours.get("/health/live")).status_code == 200
    for one in held:
        one.close()
    async with client(capped, STRANGER) as stranger:
        await eventually(lambda: _admitted(stranger))


async def test_a_client_is_known_by_what_its_balancer_or_front_end_says(stack: RunningStack) -> None:
    visitor = {"X-Forwarded-For": "203.0.113.9"}
    token = stack.settings.frontend_token.get_secret_value()
    assert await noted_address(stack.http_url, BALANCER, **visitor) == "203.0.113.9"
    assert await noted_address(stack.http_url, STRANGER, **visitor) == STRANGER
    assert await noted_address(stack.http_url, STRANGER, **visitor, **{FRONTEND_HEADER: token}) == "203.0.113.9"
    behind = {"X-Forwarded-For": f"198.51.100.1, 203.0.113.9, {BALANCER}", FRONTEND_HEADER: token}
    assert await noted_address(stack.http_url, STRANGER, **behind) == "203.0.113.9"
    # Who names nobody, or no address, is the client.
    assert await noted_address(stack.http_url, BALANCER) == BALANCER
    assert await noted_address(stack.http_url, BALANCER, **{"X-Forwarded-For": "unknown"}) == BALANCER


async def test_a_guessed_proof_makes_nobody_a_proxy(stack: RunningStack) -> None:
    guess = {PROXY_HEADER: "guess", "X-Forwarded-For": "203.0.113.9"}
    assert await noted_address(stack.http_url, STRANGER, **guess) == STRANGER


async def test_a_replica_knows_the_haproxy_of_another_node_by_its_proof(stack: RunningStack) -> None:
    """Which is a stranger to it, by its address."""
    replica = f"http://127.0.0.1:{next(iter(replicas(stack, 'ServeReplica:api')))}"
    proof = json.loads((stack.paths.haproxy / "options.json").read_text())["proxy_token"]
    visitor = {"X-Forwarded-For": "203.0.113.9"}
    assert await noted_address(replica, STRANGER, **visitor, **{PROXY_HEADER: proof}) == "203.0.113.9"
    assert await noted_address(replica, STRANGER, **visitor, **{PROXY_HEADER: proof[:-1]}) == STRANGER


@pytest.mark.parametrize("sent", [1, 40_000], ids=["haproxy", "replica"])
async def test_a_body_that_does_not_arrive_is_given_up(stack: RunningStack, sent: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.ports.http)
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000"
    writer.write(head + b"\r\n\r\n" + b" " * sent)

    async def trickle() -> bytes:
        """What came back once the connection is closed."""
        answer = b""
        while not reader.at_eof():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    answer += await reader.read(10_000)
            with contextlib.suppress(ConnectionError):
                writer.write(b" ")
        return answer

    async with asyncio.timeout(READ_S + sent / LEAST_BYTES_PER_S + 15):
        answer = await trickle()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer
    writer.close()


async def _refused(stranger: httpx.AsyncClient) -> httpx.Response | None:
    answer = await stranger.get("/health/live", headers={"Connection": "close"})
    return answer if answer.status_code == 429 else None


async def _admitted(stranger: httpx.AsyncClient) -> bool:
    return (await stranger.get("/health/live", headers={"Connection": "close"})).status_code == 200
