import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.brokers.contract import BrokerError
from actors.protocol import frames
from actors.protocol.protobuf_codec import WIRE
from actors.protocol.tags_filter import parse
from serve_app.realtime.credentials import ClaimedSubscription, KeysMissing, SubscriptionGrant
from serve_app.realtime.handlers import Admission, Caller, CallError, ConnectAttempt, Credentials, Granted, Question
from serve_app.realtime.wire import PROTOBUF_MESSAGES
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.realtime import FakeVerifier
from tests.fixtures.waiting import eventually


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


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
    assert len(world.hub.channels) == 0
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


async def test_a_method_sees_the_channels_that_are_live_and_no_others(world: World) -> None:
    door = asyncio.Event()
    seen: list[set[str]] = []

    async def member(_question: Question) -> bool:
        await door.wait()
        return True

    async def look(caller: Caller, _data: bytes) -> bytes:
        seen.append(set(caller.channels))
        return b""

    world.handlers.permission("member", member)
    world.handlers.rpc("look", look)
    client = await world.subscribed("room:1")
    await client.send({"id": 90, "subscribe": {"channel": "members:1"}}, {"id": 91, "rpc": {"method": "look"}})
    assert seen == [{"room:1"}]
    door.set()
    await settle()
    await client.command("rpc", method="look")
    assert seen[1:] == [{"room:1", "members:1"}]


async def test_permission_callbacks_decide_who_sees_presence(world: World) -> None:
    asked: list[tuple[str, str]] = []

    async def decide(question: Question) -> bool:
        asked.append((question.operation, question.channel))
        return question.channel.endswith(":1")

    world.handlers.permission("member", decide)
    world.handlers.permission("referee", decide)
    client = await world.connected()
    map_of = {"type": 2, "phase": 2}
    for channel in ("guarded:2", "watched:2"):
        answer = await client.command("subscribe", channel=f"$clients:{channel}", **map_of)
        assert answer["error"]["code"] == 103
    assert asked == [("subscribe", "guarded:2"), ("presence", "watched:2")]


async def test_permission_callbacks_decide(world: World) -> None:
    client = await world.connected()
    assert (await client.command("subscribe", channel="members:1"))["error"]["code"] == 108

    async def member(question: Question) -> bool:
        if question.channel == "members:broken":
            raise RuntimeError
        if question.channel == "members:full":
            raise CallError(420, "the room is full")
        return (question.user, question.operation, question.channel) == ("u1", "subscribe", "members:1")

    world.handlers.permission("member", member)
    assert "subscribe" in await client.command("subscribe", channel="members:1")
    assert (await client.command("subscribe", channel="members:2"))["error"]["code"] == 103
    assert (await client.command("subscribe", channel="members:broken"))["error"]["code"] == 100
    full = (await client.command("subscribe", channel="members:full"))["error"]
    assert (full["code"], full["message"]) == (420, "the room is full")


async def test_a_callback_that_cannot_even_be_called_is_an_error_for_its_caller(world: World) -> None:
    world.handlers.permissions["member"] = lambda: None  # type: ignore[assignment,misc,return-value]
    client = await world.connected()
    assert (await client.command("subscribe", channel="members:1"))["error"]["code"] == 100


async def test_operations_wait_for_their_callback_in_order(world: World) -> None:
    asked: list[Question] = []
    door = asyncio.Event()

    async def referee(question: Question) -> bool | Granted:
        asked.append(question)
        await door.wait()
        if question.operation == "publish" and question.data == b"2":
            return Granted(data=b'"two"')
        return question.data != b"3"

    world.handlers.permission("referee", referee)
    client = await world.subscribed("judged:1")
    await client.send(*[{"id": 90 + n, "publish": {"channel": "judged:1", "data": n}} for n in (1, 2, 3)])
    await client.send({"id": 94, "history": {"channel": "judged:1", "limit": 10}})
    assert [(question.operation, question.data) for question in asked] == [("publish", b"1")]
    door.set()
    await settle()
    await settle()
    answers = [message for message in client.socket.messages if message.get("id", 0) > 90]
    assert [message["id"] for message in answers] == [91, 92, 93, 94]
    assert answers[2]["error"]["code"] == 103
    assert [entry["data"] for entry in answers[3]["history"]["publications"]] == [1, "two"]
    assert client.received == [1, "two"]
    assert [question.operation for question in asked] == ["publish"] * 3 + ["history"]


async def test_a_callback_may_say_more_than_yes(world: World) -> None:
    async def member(question: Question) -> Granted:
        assert question.data == b'{"why": 1}'
        return Granted(b'{"role":"x"}', b'{"welcome":1}', 1060.0, {"presence": True}, frozenset({"pub"}))

    world.handlers.permission("member", member)
    client = await world.connected()
    result = (await client.command("subscribe", channel="members:1", data={"why": 1}))["subscribe"]
    assert result == {"data": {"welcome": 1}}
    sub = client.peer.connection.subscriptions["members:1"]
    assert (sub.info.chan_info, sub.expires_at, sub.namespace.presence) == (b'{"role":"x"}', 1060.0, True)
    assert "publish" in await client.command("publish", channel="members:1", data=1)


async def test_a_callback_that_takes_too_long_is_an_error_for_its_caller(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.realtime.callouts.DEADLINE_S", 0.01)
    monkeypatch.setattr("serve_app.realtime.callouts.RPC_DEADLINE_S", 0.01)

    async def never(*_: object) -> bool:
        await asyncio.Event().wait()
        return True

    world.handlers.permission("member", never)
    world.handlers.rpc("slow", never)  # type: ignore[arg-type]
    client = await world.connected()
    await client.send({"id": 50, "subscribe": {"channel": "members:1"}}, {"id": 51, "rpc": {"method": "slow"}})
    await eventually(lambda: len(client.socket.messages) == 3)
    failed = {message["id"]: message["error"] for message in client.socket.messages if "error" in message}
    assert failed == {
        number: {"code": 100, "message": "internal server error", "temporary": True} for number in (50, 51)
    }


async def test_the_connect_handler_decides(world: World) -> None:
    async def let_in(attempt: ConnectAttempt) -> Admission | None:
        match attempt.data:
            case b'"door"':
                return Admission(Credentials("u9", meta=b"5"), b'{"hello":1}')
            case b'"teapot"':
                raise CallError(418, "teapot")
            case b'"broken"':
                raise RuntimeError
        return Admission(attempt.credentials) if attempt.credentials is not None else None

    async def who(caller: Caller, data: bytes) -> bytes:
        return json.dumps([caller.user, json.loads(caller.meta)]).encode()

    world.handlers.connect(let_in)
    world.handlers.rpc("who", who)
    world.env.asks_on_connect = True
    client = Client(world.hub)
    assert (await client.command("connect", data="door"))["connect"]["data"] == {"hello": 1}
    assert (await client.command("rpc", method="who"))["rpc"]["data"] == ["u9", 5]
    assert "connect" in await Client(world.hub).command("connect", token="good:u1")
    refused = Client(world.hub)
    await refused.command("connect")
    assert refused.socket.closed == (3507, "permission denied")
    assert (await Client(world.hub).command("connect", data="teapot"))["error"]["code"] == 418
    assert (await Client(world.hub).command("connect", data="broken"))["error"]["code"] == 100


async def test_json_of_the_application_reaches_clients_as_single_lines_or_not_at_all(world: World) -> None:
    """A line break would end the frame of every subscriber in the middle; on a durable channel, for good."""

    async def member(question: Question) -> Granted:
        return Granted(info=b"{\n}", data=b"[1,\n2]" if question.channel == "members:1" else b"[1,")

    async def referee(question: Question) -> Granted:
        return Granted(data=b'{"a":\n1}' if question.data == b"1" else b"no\njson")

    async def let_in(attempt: ConnectAttempt) -> Admission:
        credentials = Credentials("u9", info=b"[\n]", subs={"room:1": ClaimedSubscription(b"{\n}", b"{\n}")})
        return Admission(credentials, b"[\n3]" if attempt.data == b"1" else b"[")

    world.handlers.permission("member", member)
    world.handlers.permission("referee", referee)
    world.handlers.connect(let_in)
    world.env.asks_on_connect = True
    client = Client(world.hub)
    connected = (await client.command("connect", data=1))["connect"]
    assert connected["data"] == [3]
    assert connected["subs"]["room:1"]["data"] == {}
    assert (await Client(world.hub).command("connect", data=2))["error"]["code"] == 100
    assert (await client.command("subscribe", channel="members:1"))["subscribe"]["data"] == [1, 2]
    assert (await client.command("subscribe", channel="members:2"))["error"]["code"] == 100
    assert "subscribe" in await client.command("subscribe", channel="judged:1")
    assert "publish" in await client.command("publish", channel="judged:1", data=1)
    assert (await client.command("publish", channel="judged:1", data=2))["error"]["code"] == 100
    assert client.received == [{"a": 1}]
    assert not [payload for payload in client.socket.payloads if b"\n" in payload.replace(b"}\n{", b"")]


async def test_what_clients_send_in_protobuf_is_json_or_refused() -> None:
    world = World(handles_messages=True)
    heard: list[bytes] = []

    async def hear(_caller: Caller, data: bytes) -> None:
        heard.append(data)

    async def echo(_caller: Caller, data: bytes) -> bytes:
        heard.append(data)
        return data

    world.handlers.message(hear)
    world.handlers.rpc("echo", echo)

    def connected(data: bytes = b"") -> Client:
        client = Client(world.hub, wire=PROTOBUF_MESSAGES)
        say(client, connect=frames.ConnectRequest(token="good:u1", data=frames.raw(data)))
        return client

    def say(client: Client, number: int = 1, **body: Any) -> None:
        content = WIRE.encode(frames.Command(id=number, **body))
        world.hub.receive(client.peer, bytes([len(content)]) + content)

    def answered(client: Client) -> list[tuple[int, int]]:
        return [
            (found.id, found.error.code if found.error is not None else 0)
            for found in (WIRE.decode(frames.Reply, payload[1:]) for payload in client.socket.payloads)
        ]

    client = connected(b"{ }")
    await settle()
    say(client, 2, rpc=frames.RPCRequest(frames.raw(b"\xff"), "echo"))
    await settle()
    say(client, 3, rpc=frames.RPCRequest(frames.raw(b"[\n1]"), "echo"))
    await settle()
    say(client, 4, subscribe=frames.SubscribeRequest("room:1", data=frames.raw(b"{")))
    await settle()
    say(client, 0, send=frames.SendRequest(frames.raw(b"{\n}")))
    await settle()
    assert answered(client) == [(1, 0), (2, 107), (3, 0), (4, 107)]
    assert heard == [b"[ 1]", b"{ }"]
    say(client, 0, send=frames.SendRequest(frames.raw(b"{")))
    assert client.socket.closed == (3501, "bad request")
    assert connected(b"{").socket.closed == (3501, "bad request")
    await world.hub.stop()


async def test_keys_are_fetched_for_a_token(world: World) -> None:
    fetched: list[bool] = []

    class Distant(FakeVerifier):
        def connection(self, token: str) -> Credentials:
            if not fetched:
                raise KeysMissing(self.fetch)
            return super().connection(token)

        async def fetch(self) -> None:
            fetched.append(True)

    world.env.verifier = Distant()
    assert "connect" in await Client(world.hub).command("connect", token="good:u1")
    assert fetched == [True]


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


async def test_messages_that_are_being_handled_are_bounded() -> None:
    world = World(handles_messages=True)
    begun = 0

    async def hear(_caller: Caller, _data: bytes) -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    world.handlers.message(hear)
    client, other = await world.connected(), await world.connected()
    limit = world.env.limits.commands_in_flight
    await client.send(*[{"send": {"data": 1}}] * limit)
    assert begun == limit
    assert client.socket.closed is None
    await client.send({"send": {"data": 1}})
    assert begun == limit, "it never reaches the handler"
    assert client.socket.closed == (3013, "too many requests")
    await other.send({"send": {"data": 1}})
    assert begun == limit + 1, "others have places of their own"
    await world.hub.stop()


async def test_a_message_handler_has_its_time_and_its_place_is_free_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.realtime.callouts.DEADLINE_S", 0.01)
    world = World(handles_messages=True)
    ended = 0

    async def hear(_caller: Caller, _data: bytes) -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    world.handlers.message(hear)
    client = await world.connected()
    limit = world.env.limits.commands_in_flight
    for round_ in (1, 2):
        await client.send(*[{"send": {"data": 1}}] * limit)
        await eventually(lambda expected=round_ * limit: ended == expected)  # type: ignore[misc]
    assert client.socket.closed is None
    await world.hub.stop()


async def test_history_shows_a_subscriber_what_its_filter_lets_through(world: World) -> None:
    tags = parse(b'{"key":"for","cmp":"eq","val":"ann"}')
    world.env.verifier.subscriptions["t"] = SubscriptionGrant("u1", "room:1", tags=tags)  # type: ignore[attr-defined]
    client = await world.subscribed("room:1", token="t")
    for name in ("ann", "bob"):
        await world.publish("room:1", name, tags={"for": name})
    assert client.received == ["ann"]
    history = (await client.command("history", channel="room:1", limit=-1))["history"]
    assert [publication["data"] for publication in history["publications"]] == ["ann"]
    assert history["offset"] == 2
