import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cluster.services.ports import free_port
from cluster.stack.waiting import status_of, wait_for


class Page(BaseHTTPRequestHandler):
    """Answers what the path says."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    httpd = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_the_status_is_reported_whatever_it_is(server: str) -> None:
    assert [status_of(f"{server}/{status}") for status in (200, 404, 503)] == [200, 404, 503]
    assert status_of(f"http://127.0.0.1:{free_port()}/") == 0


def test_a_proxy_of_the_machine_is_not_asked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "_opener", None)  # which remembers the environment of its first use
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert status_of(f"{server}/200") == 200


def test_only_a_good_answer_counts(server: str) -> None:
    assert wait_for(f"{server}/200", limit_s=5)
    assert not wait_for(f"{server}/503", limit_s=0.3)


def test_waiting_for_a_dead_process_ends_at_once() -> None:
    asked: list[bool] = []

    def alive() -> bool:
        asked.append(True)
        return False

    assert not wait_for(f"http://127.0.0.1:{free_port()}/", limit_s=600, alive=alive)
    assert len(asked) == 1
