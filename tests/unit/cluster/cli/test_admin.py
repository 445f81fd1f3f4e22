import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster import names
from tests.fixtures.command import MobulaCommand


@pytest.mark.parametrize(
    ("arguments", "passed_on"),
    [
        (("boss@example.com",), ["boss@example.com"]),
        (
            ("b@example.com", "--role", "operator", "--role", "analyst", "--username", "bo", "--unverified"),
            ["b@example.com", "--role", "operator", "--role", "analyst", "--username", "bo", "--unverified"],
        ),
    ],
)
def test_it_is_done_by_the_database_s_room_with_its_address(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], passed_on: list[str]
) -> None:
    ran: list[tuple[list[str], dict[str, str]]] = []

    @contextmanager
    def environment(command: str) -> Iterator[dict[str, str]]:
        assert command == "./mobula admin"
        yield {"DATABASE_URL": "postgresql://db/app"}

    def run(command: list[str], *, env: dict[str, str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append((command, env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr("cluster.cli.admin.database_environment", environment)
    monkeypatch.setattr("cluster.cli.admin.subprocess.run", run)
    assert mobula.run("admin", *arguments).exit_code == 3
    assert ran == [([sys.executable, "-m", names.ADMIN_MODULE, *passed_on], {"DATABASE_URL": "postgresql://db/app"})]
