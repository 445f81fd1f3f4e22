"""The client's own part: what it repeats after a reset, and what it must not."""

import asyncio

import pytest

from actors.links import link
from actors.links.frames import Submit
from actors.links.requests import OVERHEAD_BYTES
from actors.links.stream import StreamServer
from actors.sessions.client import ANSWER_WITHIN_S, EMULATION_BYTES, Sessions, SessionsUnreachable
from actors.sessions.contract import SessionRecord
from actors.sessions.wire import (
    Commands,
    Connections,
    Delivered,
    Disconnect,
    DisconnectUser,
    Emulate,
    Emulated,
    HoldsConnections,
    Message,
    Operation,
    Register,
    Registered,
    SendToUser,
    Synced,
    Told,
    Unregister,
    encode,
)
from tests.fixtures.simulation import passes, simulate


class Script:
    def __init__(self):
        self.up: list[Operation] = []
        self.closed: list[tuple[list[str], int]] = []
        self.sent: list[tuple[list[str], bytes]] = []
        self.commands: list[tuple[str, bytes]] = []
        self.begin("inc-1")
        self.sessions = Sessions("hub", self, shards=1, call=self.call)

    def on_disconnect(self, clients, code, reason):
        self.closed.append((list(clients), code))

    def on_send(self, clients, data):
        self.sent.append((list(clients), data))

    def on_commands(self, session, data):
        self.commands.append((session, data))
        return session == "ours"

    def begin(self, incarnation):
        self.server = StreamServer(
            incarnation, Submit[Operation], apply=lambda stream, ops: self.up.extend(ops), encode_gap=str.encode
        )

    async def restart(self):
        old = self.server
        self.begin("inc-2")
        old.close()
        await passes(1)

    async def call(self, shard, method, payload, timeout_s):
        async with asyncio.timeout(timeout_s):
            return await getattr(self.server, method)(payload)

    async def down(self, *items):
        for item in items:
            self.server.clients["hub"].push(encode(item))
        await passes(0.1)


def run(test):
    async def main():
        script = Script()
        await script.sessions.start()
        await script.sessions.wait_attached()
        await passes(0.1)
        script.up.clear()
        await test(script)
        await script.sessions.stop()

    simulate(main())


def record(client):
    return SessionRecord(client, "u", "s", "hub", "websocket", 1)


def test_items_reach_the_sink():
    async def test(script):
        await script.down(Disconnect(["a", "b"], 3503, "r"), Message(["a"], b"{}"), Disconnect([], 0, ""))
        assert script.closed == [(["a", "b"], 3503)]
        assert script.sent == [(["a"], b"{}")]

    run(test)


def test_who_comes_and_goes_while_the_shard_is_away_is_forgotten_and_the_living_are_registered(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(link, "MUST_BYTES", 100 * OVERHEAD_BYTES)

    async def test(script):
        script.sessions.register(record("lives"), lambda accepted: None)
        await passes(0.1)
        server, script.server = script.server, None
        await passes(20.0)
        script.sessions.register(record("new"), lambda accepted: None)
        for number in range(1_000):
            script.sessions.register(record(f"c{number}"), lambda accepted: None)
            script.sessions.unregister(f"c{number}", "u")
        assert len(script.sessions._views[0].link._waiting) <= 110
        script.server = server
        script.up.clear()
        await passes(5.0)
        begun = script.up.index(HoldsConnections())
        assert script.up[begun:] == [
            HoldsConnections(),
            Register(record("lives")),
            Register(record("new")),
            Synced(),
        ]

    run(test)


def test_after_a_reset_the_living_are_registered_and_orders_repeated_except_messages():
    async def test(script):
        results = []
        for client in ("lives", "waits", "gone"):
            script.sessions.register(record(client), lambda accepted, c=client: results.append((c, accepted)))
        script.sessions.unregister("gone", "u")
        await script.down(Registered("lives", accepted=True))
        orders = [
            asyncio.create_task(script.sessions.revoke("u")),
            asyncio.create_task(script.sessions.send_to_user("u", b"{}")),
            asyncio.create_task(script.sessions.connections("u")),
        ]
        await passes(0.1)
        script.up.clear()
        await script.restart()
        assert [type(op) for op in script.up] == [
            HoldsConnections,
            Register,
            Register,
            Synced,
            DisconnectUser,
            Connections,
        ]
        assert {op.record.client for op in script.up[1:3]} == {"lives", "waits"}
        await script.down(
            Registered("lives", accepted=True), Registered("waits", accepted=False), Told(script.up[4].request, 2)
        )
        assert results == [("lives", True), ("waits", False)]
        assert await orders[0] == 2
        with pytest.raises(SessionsUnreachable):
            await orders[1]
        orders[2].cancel()

    run(test)


def test_who_was_revoked_while_the_shard_was_away_is_closed():
    async def test(script):
        results = []
        script.sessions.register(record("c"), results.append)
        await script.down(Registered("c", accepted=True))
        await script.restart()
        await script.down(Registered("c", accepted=False))
        assert results == [True]
        assert script.closed == [(["c"], 3503)]

    run(test)


def test_a_connection_that_ended_before_its_answer_hears_nothing():
    async def test(script):
        results = []
        script.sessions.register(record("c"), results.append)
        script.sessions.unregister("c", "u")
        script.sessions.unregister("c", "u")
        await script.down(Registered("c", accepted=True))
        await passes(10)
        assert results == []
        assert [type(op) for op in script.up] == [Register, Unregister]

    run(test)


def test_an_unanswered_order_fails_in_time():
    async def test(script):
        before = asyncio.get_running_loop().time()
        with pytest.raises(SessionsUnreachable):
            await script.sessions.disconnect_user("u", code=4000, reason="r")
        assert asyncio.get_running_loop().time() - before <= ANSWER_WITHIN_S + 0.5
        assert isinstance(script.up[0], DisconnectUser)
        assert not isinstance(script.up[0], SendToUser)

    run(test)


def test_commands_from_elsewhere_are_answered_with_whether_the_session_is_here():
    async def test(script):
        await script.down(Commands("api", 7, "ours", b"1"), Commands("api", 8, "ended", b"2"))
        assert script.commands == [("ours", b"1"), ("ended", b"2")]
        assert script.up == [Emulated("api", 7, found=True), Emulated("api", 8, found=False)]

    run(test)


def test_commands_are_never_sent_twice():
    async def test(script):
        asking = asyncio.create_task(script.sessions.emulate("owner", "e", b"1"))
        await passes(0.5)
        assert [op for op in script.up if isinstance(op, Emulate)] == [Emulate(1, "owner", "e", b"1")]
        script.up.clear()
        await script.restart()
        await passes(ANSWER_WITHIN_S + 1)
        assert not [op for op in script.up if isinstance(op, Emulate)]
        with pytest.raises(SessionsUnreachable):
            await asking

    run(test)


def test_an_owner_that_is_behind_is_said_to_be_so():
    async def test(script):
        asking = asyncio.create_task(script.sessions.emulate("owner", "e", b"1"))
        await passes(0.5)
        await script.down(Delivered(1, found=False, busy=True))
        with pytest.raises(SessionsUnreachable, match="behind"):
            await asking

    run(test)


def test_commands_under_way_are_bounded_and_leave_room_for_orders():
    async def test(script):
        size = EMULATION_BYTES // 4
        asked = [asyncio.create_task(script.sessions.emulate("owner", "e", b"x" * size)) for _ in range(5)]
        await passes(0.5)
        assert [task.done() for task in asked] == [False] * 4 + [True]
        telling = asyncio.create_task(script.sessions.send_to_user("u", b"1"))
        await passes(0.5)
        await script.down(Told(5, 3))
        assert await telling == 3
        await asyncio.gather(*asked, return_exceptions=True)
        assert script.sessions._emulating == 0

    run(test)


def test_a_record_that_cannot_be_encoded_is_refused_alone():
    async def test(script):
        results = []
        for client in ("good", "half \ud800"):
            script.sessions.register(record(client), lambda accepted, c=client: results.append((c, accepted)))
        order = asyncio.create_task(script.sessions.send_to_user("u", b"{}", session="\udfff"))
        await script.down(Registered("good", accepted=True))
        assert results == [("half \ud800", False), ("good", True)]
        with pytest.raises(SessionsUnreachable):
            await order
        script.up.clear()
        await script.restart()
        assert [op.record.client for op in script.up if isinstance(op, Register)] == ["good"]

    run(test)
