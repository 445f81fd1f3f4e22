"""The judgement over Locust's statistics."""

import subprocess
from typing import Any

import pytest

from loadtests import smoke
from loadtests.smoke import EXPECTED, judge


def entries(requests: int = 100, failures: int = 0) -> list[dict[str, object]]:
    return [{"name": name, "num_requests": requests, "num_failures": failures} for name in EXPECTED]


def test_a_good_run() -> None:
    assert judge(entries()) == []
    assert judge(entries(failures=1)) == []


def test_failures_above_the_limit() -> None:
    assert judge(entries(failures=2)) == ["10 of 500 requests failed (at most 1%)"]


def test_a_scenario_that_never_ran() -> None:
    assert judge(entries()[1:]) == [f"never happened: {EXPECTED[0]}"]


def test_nothing_at_all() -> None:
    assert len(judge([])) == len(EXPECTED) + 1


def test_a_locust_that_does_not_end_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], *, timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(smoke.subprocess, "run", run)
    assert smoke.main(["--seconds", "5"]) == 1
    assert "still running after 65 s" in capsys.readouterr().err
