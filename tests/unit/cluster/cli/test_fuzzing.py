import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.cli import fuzzing
from tests.fixtures.command import MobulaCommand


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Commands that would run; the target named `fossil` is broken."""
    started: list[list[str]] = []

    def run(command: list[str], **options: Any) -> Any:
        started.append(command)
        options["stdout"].write(b"starting\nDone 12 runs in 1 second(s)\n")
        return SimpleNamespace(returncode=77 if "fossil" in command else 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(fuzzing.importlib.util, "find_spec", lambda name: object())  # type: ignore[attr-defined]
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    return started


def test_each_target_has_its_time_and_its_corpus(mobula: MobulaCommand, runs: list[list[str]], tmp_path: Path) -> None:
    done = mobula.run("fuzz", "json", "varint", "--seconds", "5")
    assert done.exit_code == 0, done.output
    assert "Done 12 runs" in done.output
    assert [command[3] for command in runs] == ["json", "varint"]
    assert all("-max_total_time=5" in command for command in runs)
    assert runs[0][-1] == str(tmp_path / "fuzz" / "json")


def test_a_broken_target_is_named_and_the_others_are_still_run(mobula: MobulaCommand, runs: list[list[str]]) -> None:
    done = mobula.run("fuzz")
    assert done.exit_code == 1
    assert "fossil is broken" in done.output
    assert [command[3] for command in runs] == list(fuzzing.TARGETS)


def test_an_unknown_target_and_a_missing_atheris_are_sentences(
    mobula: MobulaCommand, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = mobula.run("fuzz", "nothing")
    assert refused.exit_code == 2
    assert "no such target: nothing" in refused.output
    monkeypatch.setattr(fuzzing.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    refused = mobula.run("fuzz", "json")
    assert refused.exit_code == 1
    assert "atheris is not installed" in refused.output
    assert runs == []
