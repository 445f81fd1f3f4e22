import subprocess
from typing import Any

import pytest

from tests.fixtures.command import MobulaCommand


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(argv[1:])
        return subprocess.CompletedProcess(argv, 7)

    monkeypatch.setattr("cluster.cli.measuring.subprocess.run", run)
    return commands


def test_options_and_status_are_passed_on(mobula: MobulaCommand, ran: list[list[str]]) -> None:
    assert mobula.run("bench", "fanout", "--sockets", "10").exit_code == 7
    assert mobula.run("load", "smoke", "--users", "3").exit_code == 7
    assert ran == [
        ["-m", "loadtests.bench", "fanout", "--sockets", "10"],
        ["-m", "loadtests.smoke", "--users", "3"],
    ]


def test_a_benchmark_needs_a_name(mobula: MobulaCommand, ran: list[list[str]]) -> None:
    assert mobula.run("bench").exit_code == 2
    assert ran == []
