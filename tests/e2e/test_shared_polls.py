"""Shared polls with the unmodified JavaScript SDK, the only one that knows them, against a server in this process."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.handlers import Handlers
from serve_app.realtime.track_signature import sign
from tests.fixtures.polls import CHANNEL, POLL_NAMESPACES, SECRET, Backend
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.sdk import JavaScriptSdk
from tests.fixtures.waiting import eventually


def signature(keys: Sequence[str], *, secret: bytes = SECRET) -> str:
    now = int(time.time())
    return sign(secret, "u1", CHANNEL, keys, issued_at=now, expires_at=now + 600)


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
async def test_tracked_values_arrive_change_end_and_survive_a_reconnect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    backend = Backend()
    monkeypatch.setattr(Handlers, "discover", lambda handlers: handlers.poll("prices", backend))
    namespaces = tmp_path / "namespaces.yaml"
    namespaces.write_text(POLL_NAMESPACES)
    secret = SECRET.decode()
    settings = realtime_settings(tmp_path, namespaces_file=namespaces, realtime_shared_poll_secret=secret)
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    sdk = JavaScriptSdk(protocol=protocol)
    values = sdk.seen.maps.setdefault(CHANNEL, {})
    async with serve_realtime(application, settings) as server:

        async def token() -> str:
            return server.token()

        try:
            await sdk.connect(server.url, token)
            await sdk.poll_subscribe(CHANNEL, signature)
            backend.values = {"a": (1, b'{"n":1}'), "b": (1, b'"b"')}
            await sdk.poll_track(CHANNEL, "a", "b")
            await eventually(lambda: values == {"a": {"n": 1}, "b": "b"})
            backend.values = {"a": (2, b'{"n":2}'), "b": (-2, b"")}
            await eventually(lambda: values == {"a": {"n": 2}})

            hub = application.hub
            assert hub is not None
            hub.on_disconnect([peer.connection.client for peer in hub.peers], 3000, "try again")
            backend.values["a"] = (3, b"3")
            await eventually(lambda: values == {"a": 3})
            await sdk.poll_untrack(CHANNEL, "a")
            await eventually(lambda: not any(poller.poll.keys for poller in hub.polls.pollers))
            assert sdk.seen.poll_errors == []

            sdk.sign_with(CHANNEL, lambda keys: signature(keys, secret=b"forged"))
            await sdk.poll_track(CHANNEL, "c")
            await eventually(lambda: sdk.seen.poll_errors == [103])
        finally:
            await sdk.close()
