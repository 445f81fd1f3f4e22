import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli import app as command_line
from cluster.services.errors import ServiceError
from cluster.settings import ROOT
from tests.fixtures.command import MobulaCommand

PROMISED = {
    *("up", "down", "status", "doctor", "logs", "dev", "redeploy", "test", "check", "fix", "hooks", "lock"),
    *("migrate", "seed", "psql", "valkey", "load", "bench", "node", "fuzz", "admin", "backup", "restore"),
}


def test_every_promised_command_is_there_and_explained(mobula: MobulaCommand) -> None:
    for name in sorted(PROMISED):
        shown = mobula.run(name, "--help")
        assert shown.exit_code == 0, name
        assert len(shown.output.strip().splitlines()) > 3, name
    listed = mobula.run("--help").output
    assert all(name in listed for name in PROMISED)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["up", "--no-such-option"], ["up", "--port", "many"]])
def test_mistakes_are_refused_with_a_usage(mobula: MobulaCommand, arguments: list[str]) -> None:
    refused = mobula.run(*arguments)
    assert refused.exit_code == 2
    assert "Usage" in refused.output


def test_what_a_person_can_mend_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: str) -> None:
        raise ServiceError("port 8000 is taken: choose another")

    monkeypatch.setattr(command_line, "app", broken)
    assert command_line.main() == 1
    shown = capsys.readouterr()
    assert "port 8000 is taken" in shown.err
    assert "Traceback" not in shown.err


def test_a_terminal_of_eight_bits_is_told_too(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "MOBULA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "cluster.cli", "redeploy", "api"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding="latin-1", check=False)
    assert (done.returncode, done.stderr) == (1, "? Mobula does not run here: ./mobula up -d\n")


def test_ctrl_c_and_exit_codes_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "app", interrupted)
    assert command_line.main() == 130
    monkeypatch.setattr(command_line, "app", lambda **_: sys.exit(3))
    assert command_line.main() == 3


def test_a_usage_names_the_command_that_people_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/cluster/cli/__main__.py", "up", "--help"])
    assert command_line.main() == 0
    assert "./mobula up" in capsys.readouterr().out


def test_what_only_libpq_reads_reaches_no_process_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    monkeypatch.setenv("PGPASSWORD", "ours")
    seen: dict[str, str | None] = {}
    monkeypatch.setattr(
        command_line,
        "app",
        lambda **_: seen.update({name: os.environ.get(name) for name in ("PGSERVICE", "PGPASSWORD")}),
    )
    assert command_line.main() == 0
    assert seen == {"PGSERVICE": None, "PGPASSWORD": "ours"}
