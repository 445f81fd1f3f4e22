"""A whole start in production, in the foreground, until Ctrl-C."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.settings import ROOT
from tests.fixtures.people import Person
from tests.fixtures.stack import RunningStack, command_environment, front_port
from tests.fixtures.waiting import eventually

LIMIT_S = 240.0
STRANGER = ("REALTIME_TOKEN_HMAC_SECRET", "REALTIME_TOKEN_JWKS_URL")
"""The other issuer of the tests publishes its keys over plain HTTP."""


@pytest.fixture
def stack_of_mine() -> Iterator[RunningStack]:
    folder = Path(tempfile.mkdtemp(prefix="mobula-production-"))
    folder.chmod(0o755)
    mine = RunningStack(Paths(folder / "home"))
    yield mine
    mine.run("down")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_production_in_the_foreground_until_ctrl_c(stack_of_mine: RunningStack) -> None:
    mine, home = stack_of_mine, stack_of_mine.paths.home
    port = front_port()
    options = ["up", "--production", "--no-frontend", "--port", str(port), "--frontend-port", str(front_port())]
    refused = mine.run(*options)
    assert refused.returncode == 1
    assert "REALTIME_TOKEN_JWKS_URL must begin with https://" in refused.stderr
    env = {name: value for name, value in command_environment(home, up=True).items() if name not in STRANGER}
    command = [sys.executable, "-m", "cluster.cli", *options]
    with (home / "said").open("wb") as log:
        up = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:

        def ready() -> bool:
            said = (home / "said").read_text()
            assert up.poll() is None, pytest.fail(said)
            return "Ctrl-C stops everything" in said

        await eventually(ready, LIMIT_S)
        said = (home / "said").read_text()
        assert "Sign in" not in said
        assert "nobody gets mail" in said
        assert "/docs" not in said
        await _is_production(mine)
        _commands_know(mine)
        up.send_signal(signal.SIGINT)
        await eventually(lambda: up.poll() is not None, LIMIT_S)
    finally:
        up.kill()
        up.wait()
    assert up.returncode == 0
    assert "Everything is stopped." in (home / "said").read_text()
    assert processes.find(mine.paths) == []
    assert "Nothing was running." in mine.run("down").stdout


async def _is_production(mine: RunningStack) -> None:
    person = await Person.register(mine.http_url)
    async with httpx.AsyncClient(base_url=mine.http_url, timeout=30, trust_env=False) as http:
        body = {"email": person.email, "password": person.password, "mode": "cookie"}
        ours = {"X-Mobula-CSRF": "1", "Origin": mine.settings.public_url}
        answer = await http.post("/api/v1/auth/login", json=body, headers=ours)
        assert answer.status_code == 200, answer.text
        cookies = answer.headers.get_list("set-cookie")
        assert cookies
        for cookie in cookies:
            assert cookie.startswith("__Host-")
            assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert (await http.get("/docs")).status_code == 404
        await _has_no_mailbox(mine, person)
        await _gets_its_first_administrator(mine, http)
        demo = {"email": "admin@mobula.localhost", "password": mine.demo_password}
        assert (await http.post("/api/v1/auth/login", json=demo)).status_code == 401
        assert (await http.get("/health")).json()["status"] == "healthy"
    await person.close()


def _admin(mine: RunningStack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command, without the other issuer that production refuses."""
    env = {name: value for name, value in command_environment(mine.paths.home).items() if name not in STRANGER}
    command = [sys.executable, "-m", "cluster.cli", "admin", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


async def _has_no_mailbox(mine: RunningStack, person: Person) -> None:
    """Not even for those who may read it."""
    refused = _admin(mine, person.email, "--role", "operator")
    assert refused.returncode == 1
    assert "--unverified" in refused.stderr
    assert _admin(mine, person.email, "--role", "operator", "--unverified").returncode == 0
    await person.sign_in()
    assert "mailbox:read" in (await person.get("/api/v1/auth/me"))["permissions"]
    answer = await person.http.get("/api/v1/dev/mailbox")
    assert (answer.status_code, answer.json()["code"]) == (404, "mail_not_found"), answer.text


async def _gets_its_first_administrator(mine: RunningStack, http: httpx.AsyncClient) -> None:
    made = _admin(mine, "boss@example.com")
    assert made.returncode == 0, made.stderr
    link = made.stdout.strip().splitlines()[-1]
    assert link.startswith(f"{mine.settings.public_url}/reset-password#")
    boss = Person(http, "boss", "a wide river with seven bridges")
    chosen = {"token": link.partition("#")[2], "new_password": boss.password}
    assert (await http.post("/api/v1/auth/password/reset", json=chosen)).status_code == 204
    await boss.sign_in()
    assert (await boss.get("/api/v1/users"))["total"] == 2


def _commands_know(mine: RunningStack) -> None:
    """Also those that are told nothing: what `up` was asked for holds for them."""
    assert "production" in mine.run("status").stdout
    assert mine.settings.environment == "production"
    for arguments in (["seed"], ["seed", "--scale", "medium"]):
        seeded = mine.run(*arguments)
        assert seeded.returncode == 1
        assert "this is production" in seeded.stderr
    again = mine.run("up", "-d", "--fresh")
    assert again.returncode == 1
    assert "--fresh: ./mobula down first" in again.stderr
