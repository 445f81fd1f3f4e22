"""An application's package, really installed: its entry point is found, its callbacks decide over a real socket."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect

from db.session import Database
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.packages import install
from tests.fixtures.realtime_server import FakeBackends, RealtimeServer, realtime_settings, serve_realtime

EXAMPLE = Path(__file__).resolve().parents[4] / "docs" / "examples" / "projects"


class Person:
    """One connection that asks and is answered."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: dict[int, Any] = {}
        self._ids = 0

    async def ask(self, kind: str, **body: Any) -> dict[str, Any]:
        self._ids += 1
        await self._socket.send(json.dumps({"id": self._ids, kind: body}))
        while self._ids not in self._answers:
            for line in str(await self._socket.recv()).split("\n"):
                message = json.loads(line)
                self._answers[message.get("id", 0)] = message
        return dict(self._answers[self._ids])


def token(server: RealtimeServer, **projects: str) -> str:
    return server.issuer.connection(subject="ann", session_id="s", info={}, expire_at=None, meta={"projects": projects})


async def test_an_installed_package_decides_about_its_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(EXAMPLE, tmp_path))
    settings = realtime_settings(tmp_path, namespaces_file=EXAMPLE / "namespaces.yaml")
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    async with serve_realtime(application, settings) as server, connect(server.url) as socket:
        assert application.watched is not None
        assert application.watched.mistakes == ()
        person = Person(socket)
        assert "connect" in await person.ask("connect", token=token(server, **{"7": "editor", "9": "viewer"}))
        assert (await person.ask("rpc", method="projects.mine"))["rpc"]["data"] == {"7": "editor", "9": "viewer"}
        for channel in ("/projects/7/board", "/projects/9/board"):
            assert "subscribe" in await person.ask("subscribe", channel=channel)
        assert (await person.ask("subscribe", channel="/projects/8/board"))["error"]["code"] == 103
        assert (await person.ask("subscribe", channel="/projects/7"))["error"]["code"] == 102
        assert "publish" in await person.ask("publish", channel="/projects/7/board", data={"title": "ship it"})
        refused = await person.ask("publish", channel="/projects/9/board", data={"title": "no"})
        assert refused["error"]["code"] == 103
        long = (await person.ask("publish", channel="/projects/7/board", data={"title": "x" * 81}))["error"]
        assert (long["code"], long["message"]) == (430, "a title has at most 80 characters")


async def test_an_ordinary_token_is_enough_where_the_package_knows_the_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.syspath_prepend(install(EXAMPLE, tmp_path))
    async with database.transaction() as session:
        for statement in (EXAMPLE / "schema.sql").read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                await session.execute(text(statement))
        await session.execute(
            text("INSERT INTO projects.members VALUES ('7', 'ann', 'editor'), ('9', 'bob', 'viewer')")
        )
    try:
        settings = realtime_settings(tmp_path, namespaces_file=EXAMPLE / "namespaces.yaml")
        application = RealtimeApplication(settings, FakeBackends(settings).connect, database=database)
        async with serve_realtime(application, settings) as server, connect(server.url) as socket:
            person = Person(socket)
            plain = server.issuer.connection(subject="ann", session_id="s", info={}, expire_at=None)
            assert "connect" in await person.ask("connect", token=plain)
            assert (await person.ask("rpc", method="projects.mine"))["rpc"]["data"] == {"7": "editor"}
            assert "subscribe" in await person.ask("subscribe", channel="/projects/7/board")
            assert (await person.ask("subscribe", channel="/projects/9/board"))["error"]["code"] == 103
    finally:
        async with database.transaction() as session:
            await session.execute(text("DROP SCHEMA projects CASCADE"))


async def test_without_the_package_its_namespaces_answer_and_say_so(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, namespaces_file=EXAMPLE / "namespaces.yaml")
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    async with serve_realtime(application, settings) as server, connect(server.url) as socket:
        assert application.watched is not None
        assert len(application.watched.mistakes) == 2
        person = Person(socket)
        await person.ask("connect", token=token(server))
        assert (await person.ask("subscribe", channel="/projects/7/board"))["error"]["code"] == 108
