"""The stack as a client sees it: addresses, and errors that name the remedy."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from loadtests.client import Connection, Pool
from loadtests.processes import free_port
from loadtests.stack import Account, Stack, StackNotReady


@pytest.mark.parametrize(
    ("url", "websocket", "port"),
    [
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/connection/websocket", 8000),
        ("https://mobula.example", "wss://mobula.example/connection/websocket", 443),
    ],
)
def test_addresses(url: str, websocket: str, port: int) -> None:
    stack = Stack(url)
    assert (stack.websocket_url, stack.port) == (websocket, port)


def test_environment_names_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_URL", "http://127.0.0.1:9999")
    assert Stack().url == "http://127.0.0.1:9999"


def test_recorded_port_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MOBULA_URL", raising=False)
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    assert Stack().url == "http://127.0.0.1:8000"
    (tmp_path / "ports.json").write_text('{"http": 8017}', encoding="utf-8")
    assert Stack().url == "http://127.0.0.1:8017"


async def test_nothing_there_names_the_remedy() -> None:
    with pytest.raises(StackNotReady, match=r"mobula up"):
        await Stack(f"http://127.0.0.1:{free_port()}").check()


def test_no_replicas_is_said() -> None:
    with pytest.raises(StackNotReady, match="no replica of 'nothing'"):
        Stack().replicas("nothing")


def test_account_authorises_requests() -> None:
    assert Account("u", "id", "secret").headers == {"Authorization": "Bearer secret"}


async def test_many_sockets_are_of_several_users(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, str]] = []
    users = iter("abcde")

    class Recorder(Pool):
        async def open(self, count: int, *, token: str = "", channels: Sequence[str] = ()) -> list[Connection]:
            opened.append((count, token))
            return []

    async def next_user(self: Stack) -> Account:
        return Account(next(users), "id", "t")

    async def token(self: Stack, account: Account) -> str:
        return f"token of {account.username}"

    monkeypatch.setattr(Stack, "account", next_user)
    monkeypatch.setattr(Stack, "connection_token", token)
    await Stack("http://x").connect(Recorder("ws://x"), 350, ["room:x"])
    assert opened == [(150, "token of a"), (150, "token of b"), (50, "token of c")]


@pytest.mark.parametrize(
    ("metrics", "count"),
    [('realtime_disconnects_total{code="3005"} 7.0\nrealtime_disconnects_total{code="3008"} 12.0\n', 12), ("", 0)],
)
async def test_endings_are_counted_by_the_stack(monkeypatch: pytest.MonkeyPatch, metrics: str, count: int) -> None:
    async def answer(_client: httpx.AsyncClient, url: str) -> httpx.Response:
        assert url == "http://127.0.0.1:9999/metrics"
        return httpx.Response(200, text=metrics)

    monkeypatch.setattr("loadtests.stack.METRICS_AGE_S", 0.0)
    monkeypatch.setattr(httpx.AsyncClient, "get", answer)
    assert await Stack("http://127.0.0.1:9999").closed_with(3008, 3012) == count
