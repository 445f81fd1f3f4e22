import json
from typing import Any

import msgspec
import pytest

from actors.brokers.contract import BrokerError, PublishRequest, StreamPosition
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import HubAnswers, SessionsUnreachable
from serve_app.realtime import questions as ask
from serve_app.realtime import tracing
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.realtime import NAMESPACES
from tests.fixtures.waiting import eventually


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tracing, "FLUSH_S", 0.0)
    world = World()
    with_traces = NAMESPACES.replace("personal_channel_namespace: user", "") + (
        "  trace:\n    history_size: 300\n    history_ttl: 15m\n    force_recovery: true\n"
        "    allow_subscribe_for_client: true\n"
    )
    world.env.namespaces = world.brokers.namespaces = Namespaces.parse(with_traces)
    yield world
    await world.hub.stop()


def order(world: World, question: ask.AnyQuestion) -> bool:
    return ask.is_done(world.hub.on_question(ask.encode(question)))


def messages(world: World, trace: str) -> list[dict[str, Any]]:
    return [json.loads(publication.data) for publication in world.brokers.streams[f"trace:{trace}"].publications]


def events(world: World, trace: str) -> list[dict[str, Any]]:
    return [event for message in messages(world, trace) for event in message.get("events", ())]


async def seen(world: World, trace: str, count: int) -> list[dict[str, Any]]:
    await eventually(lambda: len(events(world, trace)) >= count)
    found = events(world, trace)
    assert len(found) == count
    return found


async def test_what_a_user_sends_and_is_sent_is_streamed(world: World) -> None:
    one = await world.subscribed("room:1", "u1")
    other = await world.subscribed("room:1", "u2")
    assert order(world, ask.StartTrace("t", user="u1"))
    await one.command("publish", channel="room:1", data={"password": "sesame"})
    await other.command("publish", channel="room:1", data=2)
    found = await seen(world, "t", 4)
    assert [event["kind"] for event in found] == ["in", "out", "out", "out"]
    assert found[0]["frame"]["publish"] == {"channel": "room:1", "data": {"password": "[redacted]"}}
    pushes = [event["frame"]["push"]["pub"] for event in found if "push" in event["frame"]]
    assert [push["data"] for push in pushes] == [{"password": "[redacted]"}, 2]
    assert {(event["client"], event["user"]) for event in found} == {(one.peer.connection.client, "u1")}
    assert "sesame" not in str(messages(world, "t"))


async def test_later_connections_and_later_subscriptions_of_the_user_are_traced_too(world: World) -> None:
    assert order(world, ask.StartTrace("t", user="u1"))
    client = await world.connected("u1")
    stranger = await world.connected("u2")
    assert stranger.peer.tap is None
    await client.command("subscribe", channel="scores:1")
    await world.publish("scores:1", "hello")
    world.hub.on_disconnect([client.peer.connection.client], 3503, "force disconnect")
    found = await seen(world, "t", 5)
    assert [event["kind"] for event in found] == ["out", "in", "out", "out", "closed"]
    assert "connect" in found[0]["frame"]
    assert found[3]["frame"]["push"]["pub"]["data"] == "hello"
    assert found[4]["frame"]["code"] == 3503


async def test_one_connection_alone_can_be_traced_and_shows_its_last_frames(world: World) -> None:
    one, other = await world.connected("u1"), await world.connected("u1")
    assert order(world, ask.StartTrace("t", client=one.peer.connection.client))
    for client in (one, other):
        await client.command("rpc", method="none")
    (held,) = msgspec.msgpack.decode(
        world.hub.on_question(ask.encode(ask.AskConnections(client=one.peer.connection.client))),
        type=ask.ConnectionPage,
    ).connections
    assert held.traced
    assert [frame["kind"] for frame in held.frames] == ["in", "out"]
    listed = msgspec.msgpack.decode(world.hub.on_question(ask.encode(ask.AskConnections())), type=ask.ConnectionPage)
    assert sorted(found.traced for found in listed.connections) == [False, True]
    assert all(found.frames == [] for found in listed.connections)
    await seen(world, "t", 2)


async def test_a_channel_is_traced_without_touching_its_subscribers(world: World) -> None:
    assert order(world, ask.StartTrace("t", channel="room:1"))
    client = await world.subscribed("room:1", "u1")
    await world.publish("room:1", "hello")
    await client.command("unsubscribe", channel="room:1")
    await world.subscribed("room:2", "u1")
    assert client.peer.tap is None
    await eventually(lambda: any(event["kind"] == "unsubscribed" for event in events(world, "t")))
    found = events(world, "t")
    assert [event["kind"] for event in found if event["kind"] not in ("join", "leave")] == [
        "subscribed",
        "publication",
        "unsubscribed",
    ]
    (publication,) = [event for event in found if event["kind"] == "publication"]
    assert (publication["data"], publication["offset"], publication["receivers"]) == ("hello", 1, 1)


async def test_a_channel_that_has_subscribers_already(world: World) -> None:
    await world.subscribed("plain:1", "u1")
    assert order(world, ask.StartTrace("t", channel="plain:1"))
    await world.publish("plain:1", 1)
    assert [event["kind"] for event in await seen(world, "t", 1)] == ["publication"]
    assert order(world, ask.StopTrace("t"))
    assert world.hub.channels.find("plain:1").tap is None  # type: ignore[union-attr]


async def test_reading_a_trace_of_oneself_does_not_go_on_for_ever(world: World) -> None:
    reader = await world.subscribed("trace:t", "op")
    assert order(world, ask.StartTrace("t", user="op"))
    await reader.command("rpc", method="none")
    await seen(world, "t", 2)
    await settle()
    assert len(events(world, "t")) == 2


async def test_it_ends_when_it_has_seen_enough(world: World) -> None:
    client = await world.connected("u1")
    assert order(world, ask.StartTrace("t", user="u1", frames=3))
    for _ in range(5):
        await client.command("rpc", method="none")
    await eventually(lambda: any(message["type"] == "end" for message in messages(world, "t")))
    assert messages(world, "t")[-1] == {"type": "end", "node": "hub-1", "reason": "frames"}
    assert client.peer.tap is None
    assert not world.hub._tracer.active


async def test_it_ends_in_time_or_when_it_is_told_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await world.subscribed("room:1", "u1")
    assert order(world, ask.StartTrace("t1", user="u1"))
    assert order(world, ask.StartTrace("t2", user="u1"))
    page = msgspec.msgpack.decode(world.hub.on_question(ask.encode(ask.AskTraces())), type=ask.TracePage)
    assert {(trace.order.id, trace.connections) for trace in page.traces} == {("t1", 1), ("t2", 1)}
    assert order(world, ask.StopTrace("t1"))
    assert not order(world, ask.StopTrace("t1"))
    assert client.peer.tap is not None, "the other one goes on"
    world.hub._tracer._traces["t2"].timer._run()  # its time has come
    assert client.peer.tap is None
    await eventually(lambda: bool(messages(world, "t2")))
    assert messages(world, "t1")[-1]["reason"] == "stopped"
    assert messages(world, "t2")[-1]["reason"] == "time"
    await world.publish("room:1", "not seen")
    assert client.received == ["not seen"]
    assert events(world, "t2") == []


async def test_traces_are_few_and_an_order_that_comes_twice_counts_once(world: World) -> None:
    for number in range(tracing.TRACES_MAX):
        assert order(world, ask.StartTrace(f"t{number}", user="u"))
    assert not order(world, ask.StartTrace("one more", user="u"))
    assert order(world, ask.StartTrace("t0", user="u"))
    assert len(world.hub._tracer.report()) == tracing.TRACES_MAX


async def test_what_cannot_be_published_is_dropped_and_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await world.connected("u1")
    monkeypatch.setattr(tracing, "WAITING_BYTES", 600)
    publish = world.brokers.publish
    gate: Any = world.hub._loop.create_future()

    async def slow(request: PublishRequest) -> StreamPosition:
        await gate
        return await publish(request)

    world.brokers.publish = slow  # type: ignore[method-assign]
    assert order(world, ask.StartTrace("t", user="u1"))
    await client.command("rpc", method="none")
    await eventually(lambda: world.hub._tracer._traces["t"].publishing is not None)
    for _ in range(10):
        await client.command("rpc", method="none")
    gate.set_result(None)
    await eventually(lambda: sum(message["dropped"] for message in messages(world, "t")) > 0)
    total = len(events(world, "t")) + sum(message["dropped"] for message in messages(world, "t"))
    assert total == 22


async def test_a_trace_that_nobody_can_publish_harms_nobody(world: World) -> None:
    client = await world.connected("u1")
    assert order(world, ask.StartTrace("t", user="u1"))

    async def refuse(request: PublishRequest) -> StreamPosition:
        raise BrokerError(102, "unknown channel")

    world.brokers.publish = refuse  # type: ignore[method-assign]
    await client.command("rpc", method="none")
    task = None

    def published() -> bool:
        nonlocal task
        task = world.hub._tracer._traces["t"].publishing
        return task is not None and task.done()

    await eventually(published)
    assert (await client.command("rpc", method="none"))["error"]["code"] == 108


async def test_without_traces_nothing_is_in_the_way(world: World) -> None:
    client = await world.subscribed("room:1", "u1")
    channel = world.hub.channels.find("room:1")
    assert channel is not None
    assert client.peer.tap is None
    assert channel.tap is None
    assert channel._tapped is None
    assert not world.hub._tracer.active


async def test_long_streams_of_events_are_published_in_parts(world: World) -> None:
    client: Client = await world.connected("u1")
    assert order(world, ask.StartTrace("t", user="u1"))
    big = {"id": 99, "rpc": {"method": "none", "data": "x" * 1_900}}
    client.hub.receive(client.peer, "\n".join(json.dumps(big | {"id": 100 + n}) for n in range(30)).encode())
    await seen(world, "t", 60)
    assert all(len(json.dumps(message)) < tracing.BATCH_BYTES * 1.2 for message in messages(world, "t"))


class Others:
    """What the other realtime processes answer to a new one."""

    def __init__(self, *worlds: World, fails: int = 0) -> None:
        self.worlds, self.fails, self.silent = worlds, fails, ["dead"] if fails else []

    async def ask_hubs(self, question: bytes, *, hub: str = "") -> HubAnswers:
        if self.fails:
            self.fails -= 1
            raise SessionsUnreachable("not yet")
        answers = {f"hub-{at}": world.hub.on_question(question) for at, world in enumerate(self.worlds)}
        silent, self.silent = self.silent, []
        return HubAnswers(answers, silent)


async def test_a_process_that_starts_later_takes_part_for_the_time_that_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "CATCH_UP_AGAIN_S", 0.0)
    assert order(world, ask.StartTrace("t", user="u1", seconds=60))
    later = World()
    later.brokers = world.brokers
    later.hub._tracer.start(later.hub._loop, world.brokers, Others(world, fails=2))
    await eventually(lambda: later.hub._tracer.active)
    (report,) = later.hub._tracer.report()
    assert report.order == ask.StartTrace("t", user="u1", seconds=60)
    assert 0 < report.seconds_left <= 60
    client = await later.connected("u1")
    await client.command("rpc", method="none")
    await eventually(lambda: [event["kind"] for event in events(world, "t")] == ["out", "in", "out"])
    await later.hub.stop()


async def test_a_trace_that_was_stopped_does_not_begin_again_by_word_of_one_who_had_not_heard(world: World) -> None:
    assert order(world, ask.StartTrace("t", user="u1"))
    later = World()
    assert not order(later, ask.StopTrace("t")), "it is told before it knows of the trace"
    later.hub._tracer.start(later.hub._loop, later.brokers, Others(world))
    await settle()
    assert not later.hub._tracer.active
    await later.hub.stop()
