import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from actors.brokers.contract import ClientInfo, Publication, PublishRequest
from actors.protocol import codes
from actors.protocol.namespaces import Namespaces
from serve_app.realtime import channel, turns
from serve_app.realtime.channels import PEERS_PER_STEP
from serve_app.realtime.flushing import QUEUE_BYTES
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.realtime import NAMESPACES
from tests.fixtures.waiting import eventually


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


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


async def test_unsubscribed_clients_hear_nothing_and_the_last_one_is_told_to_the_broker(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    await first.command("unsubscribe", channel="plain:1")
    await world.publish("plain:1", 1)
    assert (first.received, second.received) == ([], [1])
    world.hub.lost(second.peer)
    assert [last for _, _, last in world.brokers.unsubscribed] == [False, True]
    assert len(world.hub.channels) == 0


async def test_joins_and_leaves_reach_those_who_want_them(world: World) -> None:
    first = await world.subscribed("room:1")
    second = await world.subscribed("room:1", "u2")
    world.hub.lost(second.peer)
    await settle()
    joins = [push["join"]["info"]["user"] for push in first.pushes if "join" in push]
    leaves = [push["leave"]["info"]["user"] for push in first.pushes if "leave" in push]
    assert (joins, leaves) == (["u1", "u2"], ["u2"])
    quiet = await world.subscribed("a")
    world.hub.channels.on_join("a", ClientInfo("u9", "c9"))
    await settle()
    assert quiet.pushes == []


async def test_publications_can_leave_clients_and_users_out(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    await world.publish("plain:1", 1, exclude_users=("u2",))
    await world.publish("plain:1", 2, exclude_clients=(first.peer.connection.client,))
    assert (first.received, second.received) == ([1], [2])


async def test_duplicates_are_dropped_and_a_gap_brings_positioned_subscribers_back(world: World) -> None:
    client = await world.subscribed("room:1")
    world.hub.channels.on_publications("room:1", [Publication(b"1", offset=1, epoch="epoch")])
    world.hub.channels.on_publications("room:1", [Publication(b"1", offset=1, epoch="epoch")])
    assert client.received == [1]
    world.hub.channels.on_publications("room:1", [Publication(b"3", offset=3, epoch="epoch")])
    world.hub.channels.on_publications("room:1", [Publication(b"4", offset=4, epoch="epoch")])
    await eventually(lambda: "unsubscribe" in client.pushes[-1])
    assert client.pushes[-1]["unsubscribe"]["code"] == 2500
    assert client.received == [1]
    again = await client.command("subscribe", channel="room:1")
    assert "subscribe" in again


async def test_another_epoch_is_a_gap_and_so_is_the_brokers_word(world: World) -> None:
    client = await world.subscribed("room:1")
    world.hub.channels.on_publications("room:1", [Publication(b"1", offset=1, epoch="other")])
    await eventually(lambda: any("unsubscribe" in push for push in client.pushes))
    second = await world.subscribed("room:2")
    plain = await world.subscribed("plain:1")
    world.hub.channels.on_insufficient("room:2")
    world.hub.channels.on_insufficient("plain:1")
    await eventually(lambda: any("unsubscribe" in push for push in second.pushes))
    await world.publish("plain:1", 1)
    assert plain.received == [1], "without positions there is no gap to tell"


async def test_taking_a_channel_from_many_leaves_the_loop_its_turns(world: World) -> None:
    channels = world.hub.channels
    for name in ("room:1", "room:2"):
        for number in range(3 * PEERS_PER_STEP):
            await world.subscribed(name, f"u{number}")
    taken, broken = channels.find("room:1"), channels.find("room:2")
    assert taken is not None
    assert broken is not None
    for ended, steps in [
        (taken, channels._unsubscribed("room:1", "", codes.UNSUBSCRIBE_SERVER)),
        (broken, channels._insufficient(broken)),
    ]:
        left = [len(ended.peers()) for _ in steps]
        assert left == [2 * PEERS_PER_STEP + 1, PEERS_PER_STEP + 1, 1]
        assert ended.peers() == []


async def test_the_server_takes_a_subscription_away(world: World) -> None:
    first, second = await world.subscribed("plain:1"), await world.subscribed("plain:1", "u2")
    world.hub.channels.on_unsubscribed("plain:1", first.peer.connection.client, 2000, "bye")
    await settle()
    assert first.pushes[-1]["unsubscribe"] == {"code": 2000, "reason": "bye"}
    world.hub.channels.on_unsubscribed("plain:1", "", 2200, "moved")
    await settle()
    assert second.pushes[-1]["unsubscribe"] == {"code": 2200, "reason": "moved"}
    assert [given[0] for given in world.brokers.unsubscribed] == ["plain:1", "plain:1"]


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
    from serve_app.realtime.credentials import ClaimedSubscription, Credentials

    return Credentials(user="u1", subs={"plain:fast": ClaimedSubscription(), "plain:slow": ClaimedSubscription()})


async def test_what_is_held_back_is_bounded(world: World) -> None:
    world.env.verifier.connections["t"] = _credentials()  # type: ignore[attr-defined]
    ask = world.brokers.subscribe
    world.brokers.subscribe = lambda request, done: request.channel == "plain:slow" or ask(request, done)  # type: ignore[method-assign, assignment, func-returns-value]
    client = Client(world.hub)
    await client.send({"id": 1, "connect": {"token": "t"}})
    await world.publish("plain:fast", "x" * QUEUE_BYTES)
    assert client.socket.closed == (3008, "slow")


async def test_deltas_and_filters_are_negotiated_per_subscription(world: World) -> None:
    text = "long enough for a patch to be worth its bytes, whatever is around it: "
    whole, patched = await world.subscribed("scores:1"), await world.subscribed("scores:1", "u2", delta="fossil")
    picky = await world.subscribed("scores:1", "u3", tf={"key": "kind", "cmp": "eq", "val": "goal"})
    await world.publish("scores:1", text + "1", tags={"kind": "goal"})
    await world.publish("scores:1", text + "2")
    assert whole.received == [text + "1", text + "2"]
    assert picky.received == [text + "1"]
    assert json.loads(patched.received[0]) == text + "1"
    assert patched.pushes[-1]["pub"]["delta"] is True
    again = await world.connected("u4")
    reply = await again.command("subscribe", channel="scores:1", delta="fossil", recover=True, epoch="epoch", offset=1)
    assert reply["subscribe"]["recovered"]
    await world.publish("scores:1", text + "3")
    assert again.pushes[-1]["pub"] == patched.pushes[-1]["pub"]
    assert patched.pushes[-1]["pub"]["delta"] is True


async def test_batched_publications_leave_in_one_write_in_time_or_when_they_are_enough(world: World) -> None:
    client = await world.subscribed("batched:1")
    before = len(client.socket.payloads)
    await world.publish("batched:1", 1)
    await world.publish("batched:1", 2)
    assert client.received == []
    await eventually(lambda: client.received == [1, 2])
    for number in (3, 4, 5):
        await world.publish("batched:1", number)
    assert client.received == [1, 2, 3, 4, 5]
    assert len(client.socket.payloads) == before + 2


async def test_a_subscriber_comes_after_what_its_position_includes(world: World) -> None:
    first = await world.subscribed("batched:1")
    await world.publish("batched:1", 1)
    second = await world.connected("u2")
    result = (await second.command("subscribe", channel="batched:1"))["subscribe"]
    assert (result["offset"], first.received) == (1, [1])
    await world.publish("batched:1", 2)
    await eventually(lambda: (first.received, second.received) == ([1, 2], [2]))


async def test_a_gap_or_the_last_leave_ends_a_batch(world: World) -> None:
    client = await world.subscribed("batched:1")
    await world.publish("batched:1", 1)
    world.hub.channels.on_insufficient("batched:1")
    assert client.received == [1]
    await eventually(lambda: "unsubscribe" in client.pushes[-1])
    assert len(world.hub.channels) == 0
    again = await world.subscribed("batched:1", "u2")
    await world.publish("batched:1", 2)
    await again.command("unsubscribe", channel="batched:1")
    third = await world.subscribed("batched:1", "u3")
    await world.publish("batched:1", 3)
    await eventually(lambda: third.received == [3])
    assert again.received == []


def with_rules(world: World, old: str, new: str) -> None:
    """Replace part of the rules while everything runs."""
    assert old in NAMESPACES
    text = NAMESPACES.replace("personal_channel_namespace: user", "").replace(old, new)
    world.brokers.namespaces = Namespaces.parse(text)
    world.hub.replace_namespaces(world.brokers.namespaces)


LATEST = "batch_max_delay_ms: 20\n    batch_flush_latest: true\n"


async def test_positions_are_whole_once_not_only_the_latest_counts(world: World) -> None:
    old = await world.subscribed("latest:1")
    await world.publish("latest:1", 0)
    await world.publish("latest:1", 1)
    with_rules(world, LATEST, "force_recovery: true\n")
    assert old.received == [1], "what gathered is written"
    new = await world.connected("u2")
    assert (await new.command("subscribe", channel="latest:1"))["subscribe"]["positioned"]
    for number in range(2, 5):
        await world.publish("latest:1", number)
    assert (old.received, new.received) == ([1, 2, 3, 4], [2, 3, 4])


async def test_who_has_a_position_misses_nothing_when_only_the_latest_counts_from_now_on(world: World) -> None:
    client = await world.subscribed("batched:1")
    with_rules(world, "force_recovery: true\n    batch_max_delay_ms: 20\n    batch_max_size: 3\n", LATEST)
    for number in range(4):
        await world.publish("batched:1", number)
    await eventually(lambda: client.received == [0, 1, 2, 3])


async def test_where_only_the_latest_counts_there_are_no_positions(world: World) -> None:
    client = await world.connected()
    result = (await client.command("subscribe", channel="latest:1", recoverable=True, positioned=True))["subscribe"]
    assert "recoverable" not in result
    assert "positioned" not in result
    for number in range(5):
        await world.publish("latest:1", number)
    assert client.received == []
    await eventually(lambda: client.received == [4])


async def test_more_than_a_client_may_leave_unread_is_never_written_at_once(world: World) -> None:
    positioned = await world.subscribed("room:1")
    plain = await world.subscribed("a", "u2")
    burst = [Publication(b'"%s"' % (b"x" * 200_000), offset=n, epoch="epoch") for n in range(1, 6)]
    for name in ("room:1", "a"):
        world.hub.channels.on_publications(name, burst)
    await eventually(lambda: any(push.get("unsubscribe", {}).get("code") == 2500 for push in positioned.pushes))
    assert positioned.received == []
    assert [push["pub"]["offset"] for push in plain.pushes] == [4, 5]
    assert positioned.socket.closed is None


async def test_nothing_follows_an_unsubscribe_reply_even_in_the_middle_of_a_fan_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [await world.subscribed("plain:1", f"u{number}") for number in range(3)]
    monkeypatch.setattr(channel, "WRITES_PER_STEP", 1)
    monkeypatch.setattr(world.hub.channels._turns, "_budget_s", 0.0)
    await world.brokers.publish(PublishRequest("plain:1", b"1", "id"))
    while not clients[0].received:
        await asyncio.sleep(0)
    assert clients[-1].received == []
    last = clients[-1]
    world.hub.receive(last.peer, b'{"id":9,"unsubscribe":{"channel":"plain:1"}}')
    await settle()
    assert [client.received for client in clients] == [[1], [1], []]
    assert last.socket.messages[-1] == {"id": 9, "unsubscribe": {}}


async def burst(world: World, channel: str, numbers: range) -> None:
    """Publish all of it within one turn of the loop, in which the hub does nothing of it."""
    for number in numbers:
        await world.brokers.publish(PublishRequest(channel, json.dumps(number).encode(), "id"))


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A hub without time, whose queue is full with four pieces of work."""
    monkeypatch.setattr(turns, "WAITING", 4)
    monkeypatch.setattr(turns, "BUDGET_S", 0.0)
    world.hub.channels._turns._budget_s = 0.0
    return world


async def test_what_is_too_much_is_left_out_and_the_subscribers_come_back(slow: World) -> None:
    positioned, plain = await slow.subscribed("room:1"), await slow.subscribed("plain:1", "u2")
    await burst(slow, "room:1", range(3))
    await burst(slow, "plain:1", range(3))
    await burst(slow, "room:1", range(3, 100))
    assert slow.hub.channels._turns.waiting == 6, "four, and one for each of the channels"
    await settle()
    assert (positioned.received, plain.received) == ([0, 1, 2], [0])
    await eventually(lambda: "unsubscribe" in positioned.pushes[-1])
    assert positioned.pushes[-1]["unsubscribe"]["code"] == 2500
    await slow.publish("plain:1", "next")
    assert plain.received == [0, "next"]
    again = await slow.subscribed("room:1", "u3")
    await slow.publish("room:1", "next")
    assert again.received == ["next"]


async def test_joins_and_leaves_wait_as_one_difference_when_too_much_waits(slow: World) -> None:
    client = await slow.subscribed("room:1")
    await settle()
    before, hub = len(client.pushes), slow.hub.channels
    for number in range(4):
        hub.on_join("room:1", ClientInfo("early", f"e{number}"))
    for number in range(1_000):
        visitor = ClientInfo("u", f"v{number % 10}")
        hub.on_join("room:1", visitor)
        hub.on_leave("room:1", visitor)
    hub.on_difference("room:1", [ClientInfo("u", "stays")], [ClientInfo("u", "e0")])
    assert hub._turns.waiting == 5, "four, and one for all the others"
    assert len(hub._gathered["room:1"]) == 12
    await settle()
    told = [next((kind, push[kind]["info"]["client"]) for kind in ("join", "leave") if kind in push)
            for push in client.pushes[before:]]  # fmt: skip
    assert told == [*(("join", f"e{number}") for number in range(4)), ("join", "stays"), ("leave", "e0")]
    hub.on_join("room:1", ClientInfo("u", "later"))
    await settle()
    assert client.pushes[-1]["join"]["info"]["client"] == "later"
    assert hub._gathered == {}


async def test_who_subscribes_while_publications_are_left_out_is_told_too(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await slow.subscribed("room:1")
    client, work = await slow.connected("u2"), slow.hub.channels._turns
    with monkeypatch.context() as standing:
        standing.setattr(work, "_continue_later", lambda: None)
        await burst(slow, "room:1", range(6))
        await client.command("subscribe", channel="room:1")
        await burst(slow, "room:1", range(6, 7))
    while work.waiting:
        work.drain()
    await eventually(lambda: any("unsubscribe" in push for push in client.pushes))
    assert client.received == []
