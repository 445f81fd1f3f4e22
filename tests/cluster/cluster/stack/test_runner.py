"""A second checkout beside the first one, from its start through a kill -9 of its supervisor to its end."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from cluster.ray_runtime import processes
from cluster.services.process import Identity
from cluster.stack import daemon_state
from tests.fixtures.stack import RunningStack, start_stack

LIMIT_S = 900
"""Two starts of a whole stack beside a third one."""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="mobula-second-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def value(stack: RunningStack, statement: str) -> object:
    connection = await asyncpg.connect(stack.database_url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S)
async def test_a_second_checkout_survives_the_kill_of_its_supervisor_and_ends_without_a_trace(
    stack: RunningStack, folder: Path
) -> None:
    second = start_stack(folder / "home", "--no-frontend", "--no-seed")
    try:
        assert second.ports.everything & stack.ports.everything == set()
        for one in (stack, second):
            async with httpx.AsyncClient(base_url=one.http_url, timeout=10) as client:
                assert (await client.get("/health/ready")).status_code == 200
        await value(second, "CREATE TABLE kept AS SELECT 42 AS answer")

        again = second.run("up", "-d", "--no-frontend")
        assert again.returncode == 0
        assert "runs already" in again.stdout

        supervisor = daemon_state.holder(second.paths)
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        postgres = second.status["services"]["postgres"]["pid"]
        assert psutil.pid_exists(postgres)  # nobody ended it

        adopted = start_stack(folder / "home", "--no-frontend", "--no-seed")
        assert adopted.status["services"]["postgres"]["pid"] == postgres
        assert await value(adopted, "SELECT answer FROM kept") == 42
    finally:
        mine = processes.find(second.paths) + [one for one in _services(second) if one is not None]
        done = second.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert mine
    assert [processes.describe(one) for one in mine if one.is_alive()] == []
    assert processes.find(second.paths) == []
    assert second.run("status").returncode == 3


def _services(stack: RunningStack) -> list[Identity | None]:
    """Postgres and Valkey with their children, which do not all carry our marker."""
    pids = [service["pid"] for name, service in stack.status["services"].items() if name in ("postgres", "valkey")]
    found = [Identity.of(pid) for pid in pids if pid]
    for pid in filter(None, pids):
        try:
            found += [Identity.of(child.pid) for child in psutil.Process(pid).children(recursive=True)]
        except psutil.Error:
            continue
    return found


async def test_a_start_that_cannot_work_says_why_and_leaves_nothing(stack: RunningStack, folder: Path) -> None:
    busy = stack.ports.http
    home = folder / "home"
    failing = RunningStack(stack.paths.__class__(home))
    done = failing.run("up", "-d", "--no-frontend", "--port", str(busy))
    assert done.returncode == 1
    assert f"port {busy}" in done.stderr
    assert "haproxy" in done.stderr
    assert "--port" in done.stderr
    assert processes.find(failing.paths) == []
    assert json.loads((home / "ports.json").read_text())["http"] == busy
