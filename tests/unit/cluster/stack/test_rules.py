import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.settings import Settings
from cluster.stack import rules


def settings(path: Path, text: str) -> Settings:
    path.write_text(text)
    return Settings(_env_file=None, namespaces_file=path)  # type: ignore[call-arg]


def test_mistakes_are_shown_with_their_lines(tmp_path: Path) -> None:
    found = rules.namespaces_file(settings(tmp_path / "n.yaml", "namespaces:\n  a:\n    x: 1\n    y: 1\n"))
    assert [finding.level for finding in found] == ["error", "error"]
    assert "n.yaml:3: namespace 'a': unknown option 'x'" in found[0].what
    assert "keep the rules" in found[0].remedy


@pytest.fixture
def running() -> Iterator[tuple[str, dict[str, Any]]]:
    """A realtime application that says which rules it has."""
    health: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(health).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", health
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_runs_is_compared_with_the_file(
    tmp_path: Path, running: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "_opener", None)  # which remembers the environment of its first use
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # which is for what is elsewhere
    monkeypatch.setenv("no_proxy", "")
    api, health = running
    good = settings(tmp_path / "n.yaml", "namespaces: {a: }\n")
    version = rules.namespaces_file(good)[0].what.split()[-1].strip(")")
    health["namespaces"] = {"version": version, "mistakes": 0}
    assert [finding.level for finding in rules.in_force(api, good)] == ["ok"]
    health["namespaces"] = {"version": "other", "mistakes": 0}
    assert [finding.level for finding in rules.in_force(api, good)] == ["ok", "warning"]
    health["namespaces"] = {"version": version, "mistakes": 2}
    assert [finding.level for finding in rules.in_force(api, good)] == ["ok", "error"]
    health.clear()
    assert "does not say" in rules.in_force(api, good)[-1].what
    bad = settings(tmp_path / "n.yaml", "namespaces: 5\n")
    assert [finding.level for finding in rules.in_force(api, bad)] == ["error"]
