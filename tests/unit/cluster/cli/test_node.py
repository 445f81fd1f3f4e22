import pytest

from cluster.cli.app import main
from cluster.stack import joining
from tests.fixtures.command import MobulaCommand


def test_it_is_passed_on_and_its_status_is_the_command_s(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def make(home: object, **options: object) -> str:
        asked.append((home, options["head"], options["http_port"]))
        return "the plan"

    monkeypatch.setattr(joining, "make", make)
    monkeypatch.setattr(joining, "run", lambda plan, say: say(f"joined by {plan}") or 3)
    done = mobula.run("node", "10.0.0.1:20002", "--port", "8010")
    assert asked == [(mobula.home, "10.0.0.1:20002", 8010)]
    assert "joined by the plan" in done.output
    assert done.exit_code == 3


def test_what_is_missing_is_a_sentence(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mobula", "node"])
    assert main() == 1
    assert "no head to join" in capsys.readouterr().err
