import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from actors.brokers.contract import BrokerError, ClientInfo, Publication, PublishRequest
from actors.protocol.namespaces import Namespaces
from serve_app.realtime.environment import Environment, Limits
from serve_app.realtime.handlers import Caller, Handlers
from serve_app.realtime.hub import QUEUE_BYTES, Hub
from serve_app.realtime.peer import Peer
from serve_app.realtime.wire import JSON_MESSAGES, Wire
from tests.fakes.brokers import FakeBrokers, FakeSessions
from tests.fixtures.realtime import NAMESPACES, FakeVerifier
from tests.fixtures.waiting import eventually


class FakeSocket:
    """Keeps what is written."""

    wire: Wire = JSON_MESSAGES

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    @property
    def write(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, data: bytes) -> None:
        assert self.closed is None, "written after close"
        self.payloads.append(data)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for payload in self.payloads for line in payload.split(b"\n")]


class Client:
    """One connection to a hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.socket = FakeSocket()
        self.peer: Peer = hub.open(self.socket)
        self._ids = 0

    async def send(self, *commands: dict[str, Any]) -> None:
        self.hub.receive(self.peer, "\n".join(json.dumps(command) for command in commands).encode())
        await settle()

    async def command(self, kind: str, **body: Any) -> dict[str, Any]:
        self._ids += 1
        await self.send({"id": self._ids, kind: body})
        found = [message for message in self.socket.messages if message.get("id") == self._ids]
        return found[0] if found else {}

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return [message["push"] for message in self.socket.messages if "push" in message]

    @property
    def received(self) -> list[Any]:
        return [push["pub"]["data"] for push in self.pushes if "pub" in push]


async def settle() -> None:
    """Let everything that was scheduled for the coming turns of the loop happen."""
    for _ in range(10):
        await asyncio.sleep(0)


class World:
    """A hub between fake brokers, fake sessions and fake sockets."""

    def __init__(self, **environment: Any) -> None:
        namespaces = Namespaces.parse(NAMESPACES.replace("personal_channel_namespace: user", ""))
        self.brokers = FakeBrokers(namespaces)
        self.sessions = FakeSessions()
        self.handlers = Handlers()
        self.env = Environment(
            namespaces=namespaces,
            verifier=FakeVerifier(),
            version="test",
            wall=lambda: 1000.0,
            jitter=lambda: 1.0,
            rpc_methods=self.handlers.rpc_methods,
            **environment,
        )
        self.hub = Hub("hub-1", self.env, self.handlers, max_connections=4)
        self.brokers.sink = self.hub
        self.sessions.sink = self.hub
        self.hub.start(self.brokers, self.sessions)

    async def connected(self, user: str = "u1") -> Client:
        client = Client(self.hub)
        assert "connect" in await client.command("connect", token=f"good:{user}")
        return client

    async def subscribed(self, channel: str, user: str = "u1", **body: Any) -> Client:
        client = await self.connected(user)
        assert "subscribe" in await client.command("subscribe", channel=channel, **body)
        return client

    async def publish(self, channel: str, data: object, **fields: Any) -> None:
        await self.brokers.publish(PublishRequest(channel, json.dumps(data).encode(), "id", **fields))
        await settle()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


async def test_a_session_is_registered_before_connect_is_answered_and_forgotten_with_its_socket(world: World) -> None:
    client = await world.connected()
    record = world.sessions.records[client.peer.connection.client]
    assert (record.user, record.session, record.hub, record.issued_at_ms) == ("u1", "s1", "hub-1", 5000)
    assert world.hub.connections == 1
    world.hub.lost(client.peer)
    world.hub.lost(client.peer)
    assert world.sessions.records == {}
    assert world.hub.connections == 0


async def test_publications_reach_every_subscriber_with_the_same_bytes(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    other = await world.subscribed("plain:2")
    await world.publish("plain:1", {"a": 1})
    assert first.received == second.received == [{"a": 1}]
    assert first.socket.payloads[-1] is second.socket.payloads[-1]
    assert other.received == []


async def test_compact_subscribers_are_told_numbers_instead_of_names(world: World) -> None:
    named, compact = await world.subscribed("a"), await world.connected("u2")
    number = (await compact.command("subscribe", channel="a", flag=1))["subscribe"]["id"]
    await world.publish("a", 1)
    assert compact.pushes[-1]["id"] == number > 0
    assert "channel" not in compact.pushes[-1]
    assert named.pushes[-1]["channel"] == "a"


async def test_the_subscribe_reply_precedes_publications_and_they_continue_its_position(world: World) -> None:
    await world.publish("room:1", 1)
    client = await world.connected()
    client.hub.receive(client.peer, b'{"id":9,"subscribe":{"channel":"room:1"}}')
    await asyncio.sleep(0)  # the broker's answer is processed in this turn, its reply not yet flushed
    await world.brokers.publish(PublishRequest("room:1", b"2", "id"))
    await settle()
    reply = client.socket.messages[1]
    assert (reply["id"], reply["subscribe"]["offset"]) == (9, 1)
    assert [push["pub"]["offset"] for push in client.pushes if "pub" in push] == [2]


async def test_replies_of_one_turn_leave_in_one_write(world: World) -> None:
    client = await world.connected()
    before = len(client.socket.payloads)
    await client.send({"id": 5, "rpc": {"method": "x"}}, {"id": 6, "rpc": {"method": "x"}})
    assert len(client.socket.payloads) == before + 1
    assert [message["id"] for message in client.socket.messages[-2:]] == [5, 6]


async def test_unsubscribed_clients_hear_nothing_and_the_last_one_is_told_to_the_broker(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    await first.command("unsubscribe", channel="plain:1")
    await world.publish("plain:1", 1)
    assert (first.received, second.received) == ([], [1])
    world.hub.lost(second.peer)
    assert [last for _, _, last in world.brokers.unsubscribed] == [False, True]
    assert world.hub.channels == 0


async def test_joins_and_leaves_reach_those_who_want_them(world: World) -> None:
    first = await world.subscribed("room:1")
    second = await world.subscribed("room:1", "u2")
    world.hub.lost(second.peer)
    await settle()
    joins = [push["join"]["info"]["user"] for push in first.pushes if "join" in push]
    leaves = [push["leave"]["info"]["user"] for push in first.pushes if "leave" in push]
    assert (joins, leaves) == (["u1", "u2"], ["u2"])
    quiet = await world.subscribed("a")
    world.hub.on_join("a", ClientInfo("u9", "c9"))
    await settle()
    assert quiet.pushes == []


async def test_publications_can_leave_clients_and_users_out(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    await world.publish("plain:1", 1, exclude_users=("u2",))
    await world.publish("plain:1", 2, exclude_clients=(first.peer.connection.client,))
    assert (first.received, second.received) == ([1], [2])


async def test_duplicates_are_dropped_and_a_gap_brings_positioned_subscribers_back(world: World) -> None:
    client = await world.subscribed("room:1")
    world.hub.on_publications("room:1", [Publication(b"1", offset=1, epoch="epoch")])
    world.hub.on_publications("room:1", [Publication(b"1", offset=1, epoch="epoch")])
    assert client.received == [1]
    world.hub.on_publications("room:1", [Publication(b"3", offset=3, epoch="epoch")])
    world.hub.on_publications("room:1", [Publication(b"4", offset=4, epoch="epoch")])
    await eventually(lambda: "unsubscribe" in client.pushes[-1])
    assert client.pushes[-1]["unsubscribe"]["code"] == 2500
    assert client.received == [1]
    again = await client.command("subscribe", channel="room:1")
    assert "subscribe" in again


async def test_another_epoch_is_a_gap_and_so_is_the_brokers_word(world: World) -> None:
    client = await world.subscribed("room:1")
    world.hub.on_publications("room:1", [Publication(b"1", offset=1, epoch="other")])
    await eventually(lambda: any("unsubscribe" in push for push in client.pushes))
    second = await world.subscribed("room:2")
    plain = await world.subscribed("plain:1")
    world.hub.on_insufficient("room:2")
    world.hub.on_insufficient("plain:1")
    await eventually(lambda: any("unsubscribe" in push for push in second.pushes))
    await world.publish("plain:1", 1)
    assert plain.received == [1], "without positions there is no gap to tell"


async def test_the_server_takes_a_subscription_away(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    world.hub.on_unsubscribed("plain:1", first.peer.connection.client, 2000, "bye")
    await settle()
    assert first.pushes[-1]["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
    world.hub.on_unsubscribed("plain:1", "", 2200, "moved")
    await settle()
    assert second.pushes[-1]["unsubscribe"] == {"code": 2200, "reason": "moved"}
    assert world.brokers.unsubscribed == []


async def test_revocation_closes_and_refuses(world: World) -> None:
    client = await world.connected()
    assert await world.sessions.revoke("u1") == 1
    assert client.socket.closed == (3503, "force disconnect")
    again = Client(world.hub)
    await again.command("connect", token="good:u1")
    assert again.socket.closed == (3503, "force disconnect")
    world.hub.on_disconnect(["unknown"], 3503, "")


async def test_personal_messages(world: World) -> None:
    client = await world.connected()
    assert await world.sessions.send_to_user("u1", b'{"hi":1}') == 1
    await settle()
    assert client.pushes == [{"message": {"data": {"hi": 1}}}]
    world.hub.on_send(["unknown"], b"1")


async def test_calls_are_answered(world: World) -> None:
    client = await world.subscribed("room:1")
    assert (await client.command("publish", channel="room:1", data={"a": 1}))["publish"] == {}
    history = (await client.command("history", channel="room:1", limit=-1))["history"]
    assert history["publications"][0]["info"]["user"] == "u1"
    assert set((await client.command("presence", channel="room:1"))["presence"]["presence"]) == {
        client.peer.connection.client
    }
    stats = (await client.command("presence_stats", channel="room:1"))["presence_stats"]
    assert stats == {"num_clients": 1, "num_users": 1}


async def test_the_brokers_refusals_are_answered_with_their_code(world: World) -> None:
    client = await world.connected()
    world.brokers.fail_with = BrokerError(111, "full")
    assert (await client.command("publish", channel="room:1", data=1))["error"]["code"] == 111
    assert (await client.command("subscribe", channel="room:1"))["error"]["code"] == 111
    assert world.hub.channels == 0
    world.brokers.fail_with = None
    assert (await client.command("history", channel="room:1", since={"epoch": "x"}))["error"]["code"] == 112


async def test_rpc_methods_answer_fail_and_refuse(world: World) -> None:
    async def whoami(caller: Caller, data: bytes) -> bytes:
        if data == b'"fail"':
            raise RuntimeError
        if data == b'"odd"':
            return b"no json"
        return json.dumps({"user": caller.user}, indent=1).encode()

    world.handlers.rpc("whoami", whoami)
    client = await world.connected()
    assert (await client.command("rpc", method="whoami"))["rpc"]["data"] == {"user": "u1"}
    assert (await client.command("rpc", method="whoami", data="fail"))["error"]["code"] == 100
    assert (await client.command("rpc", method="whoami", data="odd"))["error"]["code"] == 100


async def test_permission_callbacks_decide(world: World) -> None:
    client = await world.connected()
    assert (await client.command("subscribe", channel="members:1"))["error"]["code"] == 108

    async def member(user: str, channel: str) -> bool:
        if channel == "members:broken":
            raise RuntimeError
        return (user, channel) == ("u1", "members:1")

    world.handlers.permission("member", member)
    assert "subscribe" in await client.command("subscribe", channel="members:1")
    assert (await client.command("subscribe", channel="members:2"))["error"]["code"] == 103
    assert (await client.command("subscribe", channel="members:broken"))["error"]["code"] == 100


async def test_messages_reach_the_application() -> None:
    world = World(handles_messages=True)
    heard: list[tuple[str, bytes]] = []

    async def hear(caller: Caller, data: bytes) -> None:
        if data == b"0":
            raise RuntimeError
        heard.append((caller.user, data))

    world.handlers.message(hear)
    client = await world.connected()
    await client.send({"send": {"data": 0}}, {"send": {"data": 1}})
    assert heard == [("u1", b"1")]
    await world.hub.stop()
    assert client.socket.closed == (3001, "shutdown")


async def test_a_slow_client_is_closed_without_its_queue_and_the_others_go_on(world: World) -> None:
    slow, fine = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    world.hub.too_slow(slow.peer)
    world.hub.too_slow(slow.peer)
    await settle()
    assert slow.socket.closed == (3008, "slow")
    await world.publish("plain:1", 1)
    assert (slow.received, fine.received) == ([], [1])


async def test_a_bad_frame_closes(world: World) -> None:
    client = await world.connected()
    world.hub.receive(client.peer, b"\xff")
    await settle()
    assert client.socket.closed == (3501, "bad request")
    world.hub.receive(client.peer, b"{}")


async def test_the_hub_is_full_at_its_bound(world: World) -> None:
    clients = [Client(world.hub) for _ in range(4)]
    assert world.hub.is_full
    world.hub.lost(clients[0].peer)
    assert not world.hub.is_full


async def test_draining_closes_everyone_within_the_window(world: World) -> None:
    clients = [await world.connected(f"u{number}") for number in range(4)]
    await world.hub.drain(0.05)
    assert [client.socket.closed for client in clients] == [(3001, "shutdown")] * 4
    assert world.hub.connections == 0


async def test_deadlines_are_kept_by_the_wheel() -> None:
    world = World(limits=Limits(stale_after_s=0.01))
    client = Client(world.hub)
    await eventually(lambda: client.socket.closed is not None)
    assert client.socket.closed == (3502, "stale")
    await world.hub.stop()


async def test_pushes_of_server_side_subscriptions_follow_the_connect_reply() -> None:
    world = World()
    world.sessions.register = lambda record, on_result: on_result(True)  # type: ignore[method-assign]
    answers: list[Callable[[], None]] = []
    ask = world.brokers.subscribe
    world.brokers.subscribe = lambda request, done: ask(request, lambda reply: _hold(request, reply, done, answers))  # type: ignore[method-assign]
    world.env.verifier.connections["t"] = _credentials()  # type: ignore[attr-defined]
    client = Client(world.hub)
    client.hub.receive(client.peer, b'{"id":1,"connect":{"token":"t"}}')
    await settle()
    await world.publish("plain:fast", 1)
    assert client.socket.messages == []
    answers[0]()
    await settle()
    assert "connect" in client.socket.messages[0]
    assert client.received == [1]
    await world.publish("plain:fast", 2)
    assert client.received == [1, 2]
    await world.hub.stop()


def _hold(request: Any, reply: Any, done: Any, answers: list[Callable[[], None]]) -> None:
    if request.channel == "plain:slow":
        answers.append(lambda: done(reply))
    else:
        done(reply)


def _credentials() -> Any:
    from serve_app.realtime.credentials import Credentials

    return Credentials(user="u1", subs={"plain:fast": {}, "plain:slow": {}})


async def test_what_is_held_back_is_bounded(world: World) -> None:
    world.env.verifier.connections["t"] = _credentials()  # type: ignore[attr-defined]
    ask = world.brokers.subscribe
    world.brokers.subscribe = lambda request, done: request.channel == "plain:slow" or ask(request, done)  # type: ignore[method-assign, assignment, func-returns-value]
    client = Client(world.hub)
    await client.send({"id": 1, "connect": {"token": "t"}})
    await world.publish("plain:fast", "x" * QUEUE_BYTES)
    assert client.socket.closed == (3008, "slow")


async def test_other_rules_apply_from_their_arrival(world: World) -> None:
    client = await world.connected()
    assert (await client.command("subscribe", channel="new:1"))["error"]["code"] == 102
    world.hub.replace_namespaces(Namespaces.parse("namespaces:\n  new:\n    allow_subscribe_for_client: true\n"))
    assert "subscribe" in await client.command("subscribe", channel="new:1")
