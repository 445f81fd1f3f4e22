from typing import Any

import pytest

from actors.brokers.contract import Publication, StreamPosition
from actors.protocol.channels import InvalidChannel
from actors.protocol.codes import (
    UNSUBSCRIBE_EXPIRED,
    UNSUBSCRIBE_INSUFFICIENT,
    UNSUBSCRIBE_SERVER,
    UNSUBSCRIBE_STATE_INVALIDATED,
    UnsubscribeCode,
    unsubscribe,
)
from actors.protocol.namespaces import UnknownNamespace
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import ClaimedSubscription, Credentials
from serve_app.realtime.environment import Limits
from serve_app.realtime.server_side import NoStream, ServerSubscription
from tests.fixtures.realtime import WALL_START, Driver, close_code, error_code, only, reply, sent


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.connect()
    return driver


def test_a_subscription_by_the_server_is_told_by_a_push_and_then_attached(driver: Driver) -> None:
    asked = driver.connection.subscribe_client(ServerSubscription("room:1", info=b'{"a":1}', data=b'{"b":2}'))
    request = only(asked, act.Subscribe).request
    assert (request.info.chan_info, request.positioned, request.since) == (b'{"a":1}', True, None)
    done = driver.accept(asked, top=4)
    assert [type(action) for action in done] == [act.Send, act.Attach]
    told = {"recoverable": True, "positioned": True, "epoch": "e", "offset": 4, "data": {"b": 2}}
    assert reply(done)["push"] == {"channel": "room:1", "subscribe": told}
    assert driver.connection.subscribe_client(ServerSubscription("room:1")) == []


def test_what_was_missed_follows_the_push(driver: Driver) -> None:
    asked = driver.connection.subscribe_client(ServerSubscription("room:1", since=StreamPosition("e", 3)))
    done = driver.accept(asked, top=4, recovered=True, publications=(Publication(b"4", offset=4, epoch="e"),))
    subscribe, publication = (message["push"] for message in sent(done))
    assert subscribe["subscribe"]["offset"] == 3
    assert publication["pub"]["offset"] == 4
    assert isinstance(done[-1], act.Attach)


def test_the_server_may_choose_other_rules_for_one_subscription(driver: Driver) -> None:
    chosen = ServerSubscription("room:1", override={"presence": False, "force_recovery": False, "durable": True})
    asked = driver.connection.subscribe_client(chosen)
    request = only(asked, act.Subscribe).request
    assert (request.presence, request.join_leave, request.positioned) == (False, True, False)


def test_channels_outside_the_rules_are_the_callers_mistake(driver: Driver) -> None:
    with pytest.raises(UnknownNamespace):
        driver.connection.subscribe_client(ServerSubscription("nowhere:1"))
    with pytest.raises(InvalidChannel):
        driver.connection.subscribe_client(ServerSubscription(""))


@pytest.mark.parametrize("channel", ["board:1", "$clients:room:1"])
def test_maps_are_not_the_servers_to_subscribe_to(driver: Driver, channel: str) -> None:
    with pytest.raises(NoStream):
        driver.connection.subscribe_client(ServerSubscription(channel))
    assert driver.connection.subscriptions == {}
    token = Driver()
    token.verifier.connections["t"] = Credentials("u1", subs={channel: ClaimedSubscription()})
    assert error_code(token.command("connect", token="t")) == 107
    assert token.connection.subscriptions == {}


def test_a_refusal_by_the_broker_leaves_the_connection_alone(driver: Driver) -> None:
    asked = driver.connection.subscribe_client(ServerSubscription("room:1"))
    assert driver.reject(asked, 100) == []
    assert driver.connection.subscriptions == {}
    assert reply(driver.subscribe("room:1"))["subscribe"]


def test_commands_for_the_channel_wait_for_the_servers_subscription(driver: Driver) -> None:
    asked = driver.connection.subscribe_client(ServerSubscription("room:1"))
    assert reply(driver.command("subscribe", channel="room:1"))["error"]["code"] == 105
    assert driver.command("presence", channel="room:1") == []
    assert [type(action) for action in driver.accept(asked)] == [act.Send, act.Attach, act.Presence]


def test_unsubscribing_tells_client_and_broker(driver: Driver) -> None:
    driver.subscribe("room:1")
    done = driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_SERVER)
    assert only(done, act.Detach).tell_broker
    assert reply(done)["push"]["unsubscribe"] == {"code": 2000, "reason": "server unsubscribe"}
    assert driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_SERVER) == []


def test_a_subscription_that_is_still_decided_ends_after_its_answer(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1")
    assert driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_SERVER) == []
    done = driver.accept(asked)
    assert [type(action) for action in done] == [act.Send, act.Attach, act.Detach, act.Send]
    assert "subscribe" in sent(done)[0]
    assert "unsubscribe" in sent(done)[1]["push"]
    asked = driver.connection.subscribe_client(ServerSubscription("room:1"))
    driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_INSUFFICIENT)
    assert close_code(driver.accept(asked)) == 3010


def test_orders_during_connect_are_part_of_it() -> None:
    driver = Driver()
    driver.command("connect", token="good:u1")
    assert driver.connection.subscribe_client(ServerSubscription("room:1")) == []
    asked = driver.connection.registered(True, driver.now)
    more = driver.connection.subscribe_client(ServerSubscription("plain:1"))
    driver.connection.unsubscribe_client("plain:1", UNSUBSCRIBE_SERVER)
    assert sent(driver.accept(asked)) == []
    done = sent(driver.accept(more))
    assert set(done[0]["connect"]["subs"]) == {"room:1", "plain:1"}
    assert done[1]["push"]["channel"] == "plain:1"
    assert "unsubscribe" in done[1]["push"]


def test_what_is_live_before_the_connect_reply_ends_after_it() -> None:
    driver = Driver()
    claims = {channel: ClaimedSubscription() for channel in ("room:1", "room:2", "room:3")}
    driver.verifier.connections["t"] = Credentials("u1", subs=claims)
    driver.command("connect", token="t")
    asked = [a for a in driver.connection.registered(True, driver.now) if isinstance(a, act.Subscribe)]
    driver.accept(asked[:1])
    assert driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_SERVER) == []
    assert sent(driver.accept(asked[1:2])) == [], "the third is not answered yet"
    done = driver.accept(asked[2:])
    connected, ended = sent(done)
    assert set(connected["connect"]["subs"]) == set(claims)
    assert (ended["push"]["channel"], "unsubscribe" in ended["push"]) == ("room:1", True)
    assert only(done, act.Detach).tell_broker
    assert set(driver.connection.subscriptions) == {"room:2", "room:3"}
    assert sent(driver.subscribe("room:1")) != [], "none of its commands is missing"


def test_claims_choose_info_data_and_rules() -> None:
    driver = Driver()
    claimed = ClaimedSubscription(b"1", b"2", (("presence", False),))
    driver.verifier.connections["t"] = Credentials("u1", subs={"room:1": claimed})
    driver.command("connect", token="t")
    asked = driver.connection.registered(True, driver.now)
    request = only(asked, act.Subscribe).request
    assert (request.info.chan_info, request.presence, request.join_leave) == (b"1", False, True)
    assert reply(driver.accept(asked))["connect"]["subs"]["room:1"]["data"] == 2


def test_an_expired_server_side_subscription_ends_the_connection() -> None:
    driver = Driver(limits=Limits(ping_s=1000))
    driver.connect()
    asked = driver.connection.subscribe_client(ServerSubscription("room:1", expires_at=WALL_START + 10))
    driver.accept(asked)
    assert close_code(driver.pass_time(34)) is None
    assert close_code(driver.pass_time(2)) == 3006


def test_refreshing_prolongs_ends_and_frees(driver: Driver) -> None:
    done = driver.connection.refresh_client(WALL_START + 60, driver.now)
    assert reply(done)["push"] == {"refresh": {"expires": True, "ttl": 60}}
    assert reply(driver.connection.refresh_client(None, driver.now))["push"] == {"refresh": {}}
    driver.connection.refresh_client(WALL_START + 1, driver.now)
    assert close_code(driver.connection.refresh_client(WALL_START, driver.now)) == 3005
    assert driver.connection.refresh_client(None, driver.now) == []
    assert driver.connection.subscribe_client(ServerSubscription("room:1")) == []


@pytest.mark.parametrize(
    ("code", "ending"),
    [(UNSUBSCRIBE_INSUFFICIENT, 3010), (UNSUBSCRIBE_EXPIRED, 3006), (UNSUBSCRIBE_STATE_INVALIDATED, 3014)],
)
def test_what_a_client_could_repair_by_subscribing_again_ends_the_connection_instead(
    driver: Driver, code: UnsubscribeCode, ending: int
) -> None:
    driver.accept(driver.connection.subscribe_client(ServerSubscription("room:1")))
    named = unsubscribe(code.code, "a reason of its own")
    assert close_code(driver.connection.unsubscribe_client("room:1", named)) == ending


def test_more_channels_than_a_connection_may_have_end_it(driver: Driver) -> None:
    for number in range(driver.env.limits.channels):
        driver.connection.subscribe_client(ServerSubscription(f"open:{number}"))
    again = driver.connection.subscribe_client(ServerSubscription("open:0"))
    assert again == [], "it has this one"
    assert close_code(driver.connection.subscribe_client(ServerSubscription("open:one-more"))) == 3505


# A new token


def refreshed(driver: Driver, token: str, *channels: str, info: bytes = b"") -> list[act.Action]:
    subs = {channel: ClaimedSubscription() for channel in channels}
    driver.verifier.connections[token] = Credentials("u1", subs=subs, info=info)
    return driver.command("refresh", token=token)


def claiming(*channels: str, **options: Any) -> Driver:
    driver = Driver(**options)
    driver.verifier.connections["t"] = Credentials(
        "u1", subs={channel: ClaimedSubscription() for channel in channels}, info=b"1"
    )
    driver.command("connect", token="t")
    driver.accept(driver.connection.registered(True, driver.now))
    return driver


def test_a_new_token_changes_the_channels_that_the_server_chooses() -> None:
    driver = claiming("room:old", "room:kept")
    driver.subscribe("room:own")
    driver.accept(driver.connection.subscribe_client(ServerSubscription("room:ordered")))
    done = refreshed(driver, "t2", "room:kept", "room:new")
    assert only(done, act.Detach).channel == "room:old"
    assert only(done, act.Subscribe).request.channel == "room:new"
    first, second = sent(done)
    assert "refresh" in first
    assert second["push"] == {"channel": "room:old", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}}
    assert reply(driver.accept(done))["push"]["channel"] == "room:new"
    assert set(driver.connection.subscriptions) == {"room:own", "room:ordered", "room:kept", "room:new"}
    done = refreshed(driver, "t3")
    assert {action.channel for action in done if isinstance(action, act.Detach)} == {"room:kept", "room:new"}
    assert set(driver.connection.subscriptions) == {"room:own", "room:ordered"}


def test_a_new_token_does_not_take_the_personal_channel_nor_what_the_client_chose() -> None:
    driver = claiming("user:#u1", "room:1", personal=True)
    driver.connection.unsubscribe_client("room:1", UNSUBSCRIBE_SERVER)
    driver.subscribe("room:1")
    refreshed(driver, "t2")
    assert set(driver.connection.subscriptions) == {"user:#u1", "room:1"}


@pytest.mark.parametrize(("channel", "code"), [("nothing:1", 102), ("board:1", 107)])
def test_a_new_token_with_a_channel_that_cannot_be_is_refused_and_changes_nothing(channel: str, code: int) -> None:
    driver = claiming("room:old")
    assert error_code(refreshed(driver, "t2", channel)) == code
    assert set(driver.connection.subscriptions) == {"room:old"}
    refreshed(driver, "t3")
    assert driver.connection.subscriptions == {}


def test_a_new_token_says_who_others_see() -> None:
    driver = claiming()
    driver.subscribe("room:1")
    refreshed(driver, "t2", info=b"2")
    assert driver.connection.info.conn_info == b"2"
    assert driver.connection.subscriptions["room:1"].info.conn_info == b"2"
    assert only(driver.command("subscribe", channel="room:2"), act.Subscribe).request.info.conn_info == b"2"
