"""The local Valkey, with every fault it must survive made to happen."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cluster.services.errors import ServiceError
from cluster.services.ports import free_port
from cluster.services.valkey import EmbeddedValkey

PASSWORD = "Zm9vYmFy-_secret"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    valkey = EmbeddedValkey(tmp_path / "val key", password=PASSWORD)
    yield valkey
    valkey.stop()


def start_again(server: EmbeddedValkey, *, port: int | None = None, password: str = PASSWORD) -> EmbeddedValkey:
    return EmbeddedValkey(server.data_dir, port or server.port, password=password)


def test_it_starts_asks_for_the_password_and_keeps_data(server: EmbeddedValkey) -> None:
    server.start()
    with redis.Redis.from_url(server.dsn) as client:
        client.set("kept", "42")
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("kept")
    assert (server.data_dir / "valkey.conf").stat().st_mode & 0o077 == 0
    server.stop()
    again = start_again(server)
    again.start()
    try:
        with redis.Redis.from_url(again.dsn) as client:
            assert client.get("kept") == b"42"
    finally:
        again.stop()


def test_a_crash_is_repaired_and_a_healthy_server_is_left_alone(server: EmbeddedValkey) -> None:
    server.start()
    assert not server.ensure_running()
    before = server.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    while server.is_running():
        pass
    assert server.ensure_running()
    assert server.pid != before


def test_the_next_command_adopts_a_server_whose_owner_was_killed(server: EmbeddedValkey) -> None:
    server.start()
    successor = start_again(server)
    successor.start()
    assert successor.pid == server.pid
    successor.stop()
    assert not server.is_running()


def test_an_orphan_with_another_password_or_port_is_replaced(server: EmbeddedValkey) -> None:
    server.start()
    first = server.pid
    other = start_again(server, password="changed")
    other.start()
    assert other.pid != first
    moved = start_again(server, port=free_port(), password="changed")
    moved.start()
    assert moved.pid != other.pid
    moved.stop()


def test_a_busy_port_is_named(server: EmbeddedValkey, tmp_path: Path) -> None:
    server.start()
    with pytest.raises(ServiceError, match=rf"port {server.port}"):
        EmbeddedValkey(tmp_path / "other", server.port, password="x").start()


def test_a_server_that_refuses_its_settings_is_explained(tmp_path: Path) -> None:
    broken = EmbeddedValkey(tmp_path / "broken", password="x", options={"no-such-setting": "1"})
    with pytest.raises(ServiceError, match="no-such-setting"):
        broken.start()
