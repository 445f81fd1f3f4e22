"""The local Postgres, with every fault it must survive made to happen."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cluster.services.errors import ServiceError
from cluster.services.ports import free_port
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.process import Identity

PASSWORD = "p@ss w/ord'"  # every character here has broken a URL or a shell somewhere


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(tmp_path / "postgres", password=PASSWORD)
    yield postgres
    postgres.stop()


def start_again(server: EmbeddedPostgres, **changes: object) -> EmbeddedPostgres:
    """What the next command would build after this one was killed."""
    arguments = {"port": server.port, "password": PASSWORD, **changes}
    return EmbeddedPostgres(server.data_dir, **arguments)  # type: ignore[arg-type]


async def value(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_it_starts_asks_for_the_password_and_keeps_data(server: EmbeddedPostgres) -> None:
    server.start()
    assert await value(server.dsn, "SELECT current_database()") == "mobula"
    assert await value(server.dsn, "SHOW listen_addresses") == "127.0.0.1"
    await value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host="127.0.0.1", port=server.port, user="mobula", password="wrong", database="mobula")
    server.stop()
    assert not server.is_running()
    again = start_again(server)
    again.start()
    try:
        assert await value(again.dsn, "SELECT answer FROM kept") == 42
    finally:
        again.stop()


async def test_variables_about_another_server_are_not_about_ours(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value_ in (("PGSSLMODE", "require"), ("PGOPTIONS", "-c no.such=thing"), ("PGSERVICE", "elsewhere")):
        monkeypatch.setenv(name, value_)
    monkeypatch.setattr("cluster.services.postgres.START_LIMIT_S", 10.0)
    server.start()
    assert await value(server.dsn, "SELECT 1") == 1


async def test_a_crash_is_repaired_and_a_healthy_server_is_left_alone(server: EmbeddedPostgres) -> None:
    server.start()
    assert not server.ensure_running()
    await value(server.dsn, "CREATE TABLE kept AS SELECT 1 AS answer")
    before = server.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    while server.is_running():
        pass
    assert server.ensure_running()
    assert server.pid != before
    assert await value(server.dsn, "SELECT answer FROM kept") == 1


async def test_the_next_command_adopts_a_server_whose_owner_was_killed(server: EmbeddedPostgres) -> None:
    server.start()
    successor = start_again(server)
    successor.start()
    assert successor.pid == server.pid
    assert await value(successor.dsn, "SELECT 1") == 1
    identity = Identity.of(successor.pid or 0)
    assert identity is not None
    successor.stop()
    assert not identity.is_alive()


async def test_an_orphan_on_another_port_is_ended_and_replaced(server: EmbeddedPostgres) -> None:
    server.start()
    orphan = server.pid
    moved = start_again(server, port=free_port())
    moved.start()
    try:
        assert moved.pid != orphan
        assert await value(moved.dsn, "SELECT 1") == 1
    finally:
        moved.stop()


async def test_a_stale_pid_file_naming_a_stranger_does_not_block_the_start(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = server._prepared()[1].data_dir / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{server.data_dir}\n1\n{server.port}\n\n127.0.0.1\n")
        again = start_again(server)
        again.start()
        assert await value(again.dsn, "SELECT 1") == 1
        assert stranger.poll() is None  # and the stranger was left alone
        again.stop()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_busy_port_is_named_with_who_has_it(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    second = EmbeddedPostgres(tmp_path / "other", server.port, password=PASSWORD)
    with pytest.raises(ServiceError, match=rf"port {server.port}.*postgres"):
        second.start()


def test_another_password_than_the_data_has_is_said(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    other = start_again(server, password="another")
    with pytest.raises(ServiceError, match="--fresh"):
        other.start()
    other.stop()


def test_data_of_another_major_version_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server._prepared()[1].data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceError, match="PostgreSQL 9"):
        start_again(server).start()


def test_an_interrupted_initialisation_is_repeated(server: EmbeddedPostgres) -> None:
    half = server.data_dir.with_name("postgres.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert server.is_running()
    assert not half.exists()
