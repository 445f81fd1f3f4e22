"""Clients that do not read: one among many, and one that is an SDK."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from actors.brokers.contract import PublishRequest
from loadtests.bench import raise_file_limit
from loadtests.client import Pool, timed_payload
from serve_app.edge.websocket import TransportProtocol
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.flushing import QUEUE_BYTES
from tests.fixtures.cable import cable
from tests.fixtures.local_shards import LocalShards
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.sdk import ROOT, SDKS
from tests.fixtures.waiting import eventually

OTHERS = 499
KERNEL_BYTES = 32_768
MESSAGE = 60_000
SHORT = 1_000
"""Fits into the kernel's buffer of whoever reads."""


class Closes:
    """The codes with which the server closed its sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.codes: list[int] = []
        close = TransportProtocol.close

        def noted(protocol: TransportProtocol, code: int, reason: str) -> None:
            self.codes.append(code)
            close(protocol, code, reason)

        monkeypatch.setattr(TransportProtocol, "close", noted)


async def test_one_stalled_socket_among_500_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_file_limit()
    closes = Closes(monkeypatch)
    settings = realtime_settings(tmp_path, max_connections_per_user=0)
    backends = FakeBackends(settings)
    application = RealtimeApplication(settings, backends.connect)
    async with serve_realtime(application, settings, kernel_bytes=KERNEL_BYTES) as server:
        others, stalled = Pool(server.url), Pool(server.url)
        await others.open(OTHERS // 2, token=server.token("u1"), channels=["room:crowd"])
        await stalled.open(1, token=server.token("u2"), channels=["room:crowd"])
        await others.open(OTHERS - OTHERS // 2, token=server.token("u1"), channels=["room:crowd"])
        transport: Any = stalled.connections[0].transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        transport.pause_reading()
        hub = application.hub
        assert hub is not None
        (peer,) = [peer for peer in hub._peers.values() if peer.connection.user == "u2"]
        rest = [other for other in hub._peers.values() if other is not peer]
        hub.channels._turns._budget_s = 60.0  # one fan-out is one turn of the loop, however busy the machine is

        async def unwritten_after_publishing(number: int) -> int:
            """Bytes that wait for others of the crowd right after the fan-out: nothing else has run since."""
            request = PublishRequest("room:crowd", timed_payload(SHORT), f"short-{number}")
            turns: list[None] = []
            asyncio.get_running_loop().call_soon(turns.append, None)
            written = COUNTS.deliveries
            await backends.brokers.publish(request)
            waiting = sum(other.socket.queued for other in rest)
            assert turns == [], "there was no turn of the loop in which anybody could have read"
            assert COUNTS.deliveries - written == OTHERS + 1, "everybody was written to all the same"
            return waiting

        waited_with_it_stalled, unread, delivered = 0, 0, 0
        for number in range(1, 200):
            await backends.brokers.publish(PublishRequest("room:crowd", timed_payload(MESSAGE), f"id-{number}"))
            delivered += OTHERS
            await eventually(lambda wanted=delivered: others.tally.deliveries == wanted)  # type: ignore[misc]
            if closes.codes:
                break
            assert await unwritten_after_publishing(number) == 0
            delivered += OTHERS
            await eventually(lambda wanted=delivered: others.tally.deliveries == wanted)  # type: ignore[misc]
            if closes.codes:
                break
            if peer.socket.queued > unread:
                # Everybody has the message that it has not read, and nobody has given up on it yet.
                waited_with_it_stalled, unread = waited_with_it_stalled + 1, peer.socket.queued
        assert closes.codes == [3008]
        assert waited_with_it_stalled >= QUEUE_BYTES // MESSAGE - 1
        assert unread <= QUEUE_BYTES
        await eventually(lambda: hub.connections == OTHERS)
        before = others.tally.deliveries
        await backends.brokers.publish(PublishRequest("room:crowd", timed_payload(MESSAGE), "last"))
        await eventually(lambda: others.tally.deliveries == before + OTHERS)
        assert others.tally.closed == {}
        others.close()
        stalled.close()


@pytest.mark.parametrize("kind", sorted(SDKS))
async def test_an_sdk_that_was_too_slow_comes_back_and_has_missed_nothing(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "javascript" and not (ROOT / "frontend" / "node_modules" / "centrifuge").is_dir():
        pytest.skip("frontend/node_modules is not installed")
    closes = Closes(monkeypatch)
    settings = realtime_settings(tmp_path, database_url=database_url)
    shards = LocalShards(settings)
    await shards.start()
    application, sdk = RealtimeApplication(settings, shards.connect), SDKS[kind]()

    async with (
        serve_realtime(application, settings, kernel_bytes=KERNEL_BYTES) as server,
        cable("127.0.0.1", server.port) as line,
    ):

        async def token() -> str:
            return server.token("ann")

        async def publish(number: int) -> None:
            data = json.dumps({"n": number, "padding": "x" * MESSAGE}).encode()
            await shards.brokers.publish(PublishRequest("room:slow", data, f"id-{number}"))

        await sdk.connect(f"ws://127.0.0.1:{line.port}/connection/websocket", token)
        await sdk.subscribe("room:slow")
        await publish(0)
        await eventually(lambda: len(sdk.seen.data("room:slow")) == 1)
        line.pinch()
        published = 1
        while not closes.codes:
            await publish(published)
            published += 1
        line.let_go()
        await eventually(lambda: len(sdk.seen.data("room:slow")) == published, timeout_s=30.0)
        await publish(published)
        await eventually(lambda: len(sdk.seen.data("room:slow")) == published + 1)
        await sdk.close()
    await shards.stop()
    assert closes.codes[0] == 3008
    assert [data["n"] for data in sdk.seen.data("room:slow")] == list(range(published + 1))
    assert sdk.seen.subscribed["room:slow"] == [(False, False), (True, True)]
