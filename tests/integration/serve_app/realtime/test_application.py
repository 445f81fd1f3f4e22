import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from actors.namespaces import watching
from actors.protocol.namespaces import NamespaceMistake, Namespaces
from db.session import Database
from serve_app.realtime.application import Backends, RealtimeApplication
from serve_app.realtime.hub import Hub
from tests.factories.auth import make_user
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.waiting import eventually


async def test_health_counts_and_ends_with_the_drain(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    async with serve_realtime(application, settings) as server, httpx.AsyncClient() as http:
        address = f"http://127.0.0.1:{server.port}/connection/health"
        async with connect(server.url):
            report = (await http.get(address)).json()
            assert (report["status"], report["connections"], report["channels"]) == ("healthy", 1, 0)
            assert report["namespaces"]["version"] == Namespaces.load(settings.namespaces_file).version
        await application.drain(0.0)
        drained = await http.get(address)
        assert (drained.status_code, drained.json()["status"]) == (503, "unavailable")
        missing = await http.get(address.replace("health", "other"))
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_mistake_in_the_namespaces_stops_the_start_and_names_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "namespaces.yaml"
    broken.write_text("namespaces:\n  a:\n    nope: 1\n")
    settings = realtime_settings(tmp_path, namespaces_file=broken)
    application = RealtimeApplication(settings, FakeBackends(realtime_settings(tmp_path)).connect)
    with pytest.raises(NamespaceMistake, match=r"namespaces\.yaml:3"):
        await application.open()
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(NamespaceMistake):
        await application({"type": "lifespan"}, receive, send)
    assert sent[0]["type"] == "lifespan.startup.failed"
    await application.close()


async def test_requests_before_the_hub_is_open_are_refused(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await application({"type": "http", "path": "/connection/health"}, receive, send)
    assert sent[0]["status"] == 503
    sent.clear()
    scope = {"type": "websocket", "path": "/connection/websocket", "headers": []}
    await application(scope, receive, send)
    assert sent[0]["code"] == 1013


async def test_with_a_database_our_permission_callbacks_are_there(tmp_path: Path, database: Database) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    application = RealtimeApplication(settings, backends.connect, database=database)
    async with serve_realtime(application, settings) as server, connect(server.url) as client:
        await client.send(json.dumps({"id": 1, "connect": {"token": server.token("nobody")}}))
        await client.send('{"id":2,"subscribe":{"channel":"conversation:1"}}')
        found: dict[int, Any] = {}
        while 2 not in found:
            for line in str(await client.recv()).split("\n"):
                message = json.loads(line)
                found[message.get("id", 0)] = message
    assert found[2]["error"]["code"] == 103


async def test_business_figures_are_refused_to_a_customer(tmp_path: Path, database: Database) -> None:
    async with database.transaction() as session:
        people = {role: await make_user(session, roles=(role,)) for role in ("customer", "analyst")}
    settings = realtime_settings(tmp_path)
    application = RealtimeApplication(settings, FakeBackends(settings).connect, database=database)
    async with serve_realtime(application, settings) as server:
        for role, code in (("customer", 103), ("analyst", None)):
            async with connect(server.url) as client:
                await client.send(json.dumps({"id": 1, "connect": {"token": server.token(str(people[role].id))}}))
                await client.send('{"id":2,"subscribe":{"channel":"sales:live"}}')
                found: dict[int, Any] = {}
                while 2 not in found:
                    for line in str(await client.recv()).split("\n"):
                        message = json.loads(line)
                        found[message.get("id", 0)] = message
                assert found[2].get("error", {}).get("code") == code, role


@pytest.mark.parametrize(("environment", "allowed"), [("development", True), ("production", False)])
async def test_insecure_mode_cannot_be_switched_on_in_production(
    tmp_path: Path, environment: str, allowed: bool
) -> None:
    settings = realtime_settings(tmp_path, realtime_insecure=True).model_copy(update={"environment": environment})
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    await application.open()
    assert application.hub is not None
    assert application.hub.env.insecure is allowed
    await application.close()


async def test_a_changed_file_is_taken_without_dropping_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.02)
    file = tmp_path / "namespaces.yaml"
    file.write_text("namespaces: {old: {allow_subscribe_for_client: true}}\n")
    settings = realtime_settings(tmp_path, namespaces_file=file)
    backends = FakeBackends(settings)
    agreed: list[str] = []

    def connect_backends(hub: Hub) -> Backends:
        made = backends.connect(hub)

        async def agree(version: str) -> None:
            agreed.append(version)

        return replace(made, agree=agree)

    application = RealtimeApplication(settings, connect_backends)
    async with serve_realtime(application, settings) as server, connect(server.url) as client:
        answers: dict[int, Any] = {}

        async def ask(number: int, kind: str, **body: Any) -> Any:
            await client.send(json.dumps({"id": number, kind: body}))
            while number not in answers:
                for line in str(await client.recv()).split("\n"):
                    message = json.loads(line)
                    answers[message.get("id", 0)] = message
            return answers[number]

        await ask(1, "connect", token=server.token("u1"))
        assert (await ask(2, "subscribe", channel="new:1"))["error"]["code"] == 102
        assert "subscribe" in await ask(3, "subscribe", channel="old:1")
        file.write_text("namespaces: {old: 5}\n")
        await eventually(lambda: application.watched is not None and application.watched.mistakes)
        assert (await ask(4, "subscribe", channel="new:2"))["error"]["code"] == 102
        file.write_text("namespaces: {new: {allow_subscribe_for_client: true}}\n")
        await eventually(lambda: application.hub is not None and application.hub.env.namespaces.names == ["new"])
        assert agreed == [Namespaces.load(file).version]
        assert "subscribe" in await ask(5, "subscribe", channel="new:3")
        assert (await ask(6, "subscribe", channel="old:2"))["error"]["code"] == 102
        assert "unsubscribe" in await ask(7, "unsubscribe", channel="old:1")
