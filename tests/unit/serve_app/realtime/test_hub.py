from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, settings

from actors.protocol.codes import UNSUBSCRIBE_SERVER
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import RefreshOrder, SubscribeOrder
from serve_app.edge.arrival import Arrival
from serve_app.edge.retirement import Retirement
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from serve_app.realtime.environment import Limits
from serve_app.realtime.peer import Peer
from serve_app.realtime.server_side import ServerSubscription
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.hub_states import HubStates
from tests.fixtures.waiting import eventually


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


async def test_a_frame_that_subscribes_and_then_ends_the_connection(world: World) -> None:
    client = await world.connected()
    world.hub.receive(client.peer, b'{"id":9,"subscribe":{"channel":"room:1"}}\n{"id":10,"connect":{}}')
    await settle()
    assert client.socket.closed == (3501, "bad request")
    assert world.hub.connections == 0
    assert len(world.hub.channels) == 0


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


async def test_sockets_of_an_old_haproxy_are_sent_elsewhere_and_the_others_stay(world: World) -> None:
    clients = [Client(world.hub, Arrival("203.0.113.7", generation)) for generation in ("a-1", "a-1", "a-2", "b-1")]
    assert [world.hub.behind(names) for names in (["a-1"], ["a-1", "a-2"], ["c-1"], [])] == [2, 3, 0, 0]
    world.hub.retirement = Retirement(world.hub, spread_s=0.05)
    world.hub.on_retired(["a-1", "a-2", "c-1"])
    await eventually(lambda: world.hub.connections == 1)
    assert [client.socket.closed for client in clients] == [(3001, "shutdown")] * 3 + [None]
    everywhere = ["a-1", "a-2", "b-1"]
    assert world.hub.behind(everywhere) == 1
    world.hub.lost(clients[0].peer)
    assert world.hub.behind(everywhere) == 1


async def test_an_address_counts_until_its_connections_have_authenticated(world: World) -> None:
    client, gone, _ = [Client(world.hub, Arrival("203.0.113.7")) for _ in range(3)]
    assert world.hub.unauthenticated("203.0.113.7") == 3
    await client.command("connect", token="good:u1")
    assert world.hub.unauthenticated("203.0.113.7") == 2
    world.hub.lost(client.peer)
    world.hub.lost(gone.peer)
    assert world.hub.unauthenticated("203.0.113.7") == 1
    assert world.hub.unauthenticated("203.0.113.8") == 0


async def test_one_over_the_users_limit_is_closed_before_it_is_connected(world: World) -> None:
    client = Client(world.hub)
    world.sessions.register = lambda record, on_result: None  # type: ignore[method-assign]
    await client.command("connect", token="good:u1")
    world.hub.on_disconnect([client.peer.connection.client], 3504, "connection limit")
    assert client.socket.closed == (3504, "connection limit")
    assert client.socket.payloads == []


async def test_subscriptions_with_tokens_of_their_own_are_registered_for_as_long_as_they_live(world: World) -> None:
    client = await world.connected()
    name = client.peer.connection.client
    world.sessions.revoked.add("void")
    for channel in ("closed:1", "closed:2"):
        world.env.verifier.subscriptions[channel] = SubscriptionGrant("u1", channel, issued_at=7.0, token_id="j")  # type: ignore[attr-defined]
        assert "subscribe" in await client.command("subscribe", channel=channel, token=channel)
    record = world.sessions.records[f"{name} closed:1"]
    assert (record.user, record.session, record.token_id, record.issued_at_ms) == ("u1", "", "j", 7000)
    world.env.verifier.subscriptions["v"] = SubscriptionGrant("u1", "closed:3", token_id="void")  # type: ignore[attr-defined]
    assert (await client.command("subscribe", channel="closed:3", token="v"))["error"]["code"] == 103
    await client.command("unsubscribe", channel="closed:1")
    assert set(world.sessions.records) == {name, f"{name} closed:2"}
    world.hub.on_unsubscribe([name], "closed:2", 2000, "token revoked")
    assert set(world.sessions.records) == {name}
    assert "subscribe" in await client.command("subscribe", channel="closed:2", token="closed:2")
    world.hub.lost(client.peer)
    assert world.sessions.records == {}
    assert client.peer.grants == set()


async def test_deadlines_are_kept_by_the_wheel() -> None:
    world = World(limits=Limits(stale_after_s=0.01))
    client = Client(world.hub)
    await eventually(lambda: client.socket.closed is not None)
    assert client.socket.closed == (3502, "stale")
    await world.hub.stop()


async def test_a_connection_whose_deadline_fails_is_closed_and_the_others_are_pinged() -> None:
    world = World(limits=Limits(ping_s=0.05))  # type: ignore[arg-type]
    bad, *others = [await world.connected(f"u{number}") for number in range(4)]
    carry_out = world.hub.apply

    def fail_once(peer: Peer, actions: Sequence[act.Action]) -> None:
        if peer is bad.peer and not peer.connection.is_closed():
            raise RuntimeError
        carry_out(peer, actions)

    world.hub.apply = fail_once  # type: ignore[method-assign]
    await eventually(lambda: bad.socket.closed is not None)
    assert bad.socket.closed == (3004, "internal server error")
    await eventually(lambda: all({} in client.socket.messages for client in others))
    await world.hub.stop()


async def test_other_rules_apply_from_their_arrival(world: World) -> None:
    client = await world.connected()
    assert (await client.command("subscribe", channel="new:1"))["error"]["code"] == 102
    world.hub.replace_namespaces(Namespaces.parse("namespaces:\n  new:\n    allow_subscribe_for_client: true\n"))
    assert "subscribe" in await client.command("subscribe", channel="new:1")


async def test_the_server_subscribes_unsubscribes_and_refreshes_a_connection(world: World) -> None:
    client = await world.connected()
    name = client.peer.connection.client
    assert world.hub.subscribe_client(name, ServerSubscription("plain:1"))
    await settle()
    await world.publish("plain:1", 1)
    assert world.hub.unsubscribe_client(name, "plain:1", UNSUBSCRIBE_SERVER)
    assert world.hub.refresh_client(name, 2000.0)
    await world.publish("plain:1", 2)
    kinds = [next(kind for kind in push if kind != "channel") for push in client.pushes]
    assert kinds == ["subscribe", "pub", "unsubscribe", "refresh"]
    assert client.received == [1]
    assert not world.hub.subscribe_client("unknown", ServerSubscription("plain:1"))
    assert not world.hub.unsubscribe_client("unknown", "plain:1", UNSUBSCRIBE_SERVER)
    assert not world.hub.refresh_client("unknown", None)


async def test_orders_for_connections_are_carried_out() -> None:
    world = World()
    client = await world.connected("u1")
    name = client.peer.connection.client
    world.hub.on_subscribe([name, "elsewhere"], SubscribeOrder("room:1", data=b'{"a":1}'))
    await settle()
    push = client.pushes[0]
    assert (push["channel"], push["subscribe"]["data"]) == ("room:1", {"a": 1})
    world.hub.on_subscribe([name], SubscribeOrder("room:2", since=("epoch", 0), override={"presence": False}))
    await settle()
    world.hub.on_unsubscribe([name], "room:1", 2000, "server unsubscribe")
    assert set(client.peer.connection.subscriptions) == {"room:2"}
    world.hub.on_unsubscribe([name, "elsewhere"], "", 2000, "server unsubscribe")
    assert client.peer.connection.subscriptions == {}
    world.hub.on_refresh([name], RefreshOrder(expire_at=5_000))
    await settle()
    assert client.pushes[-1]["refresh"] == {"expires": True, "ttl": 4000}
    world.hub.on_refresh([name], RefreshOrder())
    assert client.peer.connection.expires_at is None
    world.hub.on_refresh([name], RefreshOrder(expired=True))
    assert client.socket.closed == (3005, "connection expired")


async def test_an_order_for_a_channel_that_cannot_exist_changes_nothing() -> None:
    world = World()
    client = await world.connected("u1")
    for channel in ("nowhere:1", "\n"):
        world.hub.on_subscribe([client.peer.connection.client], SubscribeOrder(channel))
    assert client.peer.connection.subscriptions == {}
    assert client.socket.closed is None


HubStates.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestHubStates = pytest.mark.timeout(300)(HubStates.TestCase)
