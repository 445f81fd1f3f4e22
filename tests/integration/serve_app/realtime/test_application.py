import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from actors.protocol.namespaces import NamespaceMistake
from db.session import Database
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime


async def test_health_counts_and_ends_with_the_drain(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    async with serve_realtime(application, settings) as server, httpx.AsyncClient() as http:
        address = f"http://127.0.0.1:{server.port}/connection/health"
        async with connect(server.url):
            report = (await http.get(address)).json()
            assert report == {"status": "healthy", "connections": 1, "channels": 0}
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
