"""Locust's page is for this machine, and knows where the stack is."""

import pytest

from loadtests.web import command


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_URL", "http://127.0.0.1:8017")
    line = " ".join(command(["--users", "5"]))
    assert "--host http://127.0.0.1:8017 --web-host 127.0.0.1 --users 5" in line
