"""Subscribing to a map: its phases as commands and replies, and every way in which they may fail."""

from typing import Any

import pytest

from actors.brokers.contract import BrokerError, MapPage, Publication, StreamPosition
from actors.protocol import codes
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from serve_app.realtime.verdicts import Granted
from tests.fixtures.realtime import MAP_CHANNEL as CHANNEL
from tests.fixtures.realtime import WALL_START, MapDriver, close_code, error_code, only, reply, sent


def entry(key: str, offset: int = 1, data: bytes = b"1", **fields: Any) -> Publication:
    return Publication(data, offset=offset, epoch="e", key=key, **fields)


@pytest.fixture
def driver() -> MapDriver:
    made = MapDriver()
    made.connect()
    return made


def step(actions: list[act.Action]) -> Any:
    return only(actions, act.Subscribe).request.map


def keys_page(cursor: str, *entries: Publication) -> MapPage:
    return MapPage(2, StreamPosition("e", 7), cursor, 0, entries)


def test_pages_changes_live(driver: MapDriver) -> None:
    asked = driver.ask(limit=3, data={"x": 1})
    assert (step(asked).phase, step(asked).limit, step(asked).since) == (2, 3, None)
    first = reply(driver.answer(asked, keys_page("0:b", entry("a"), entry("b", 2))))["subscribe"]
    assert first == {
        **{"type": 1, "phase": 2, "cursor": "0:b", "epoch": "e", "offset": 7},
        "state": [
            {"data": 1, "offset": 1, "key": "a", "epoch": "e"},
            {"data": 1, "offset": 2, "key": "b"},
        ],
    }
    asked = driver.ask(limit=3, cursor="0:b", epoch="e", offset=7)
    assert (step(asked).cursor, step(asked).since) == ("0:b", StreamPosition("e", 7))
    last = MapPage(2, StreamPosition("e", 7), "", 20, [entry("c", 3)])
    assert "cursor" not in reply(driver.answer(asked, last))["subscribe"]
    asked = driver.ask(phase=1, epoch="e", offset=7)
    assert (step(asked).phase, step(asked).since, step(asked).start) == (1, StreamPosition("e", 7), 20)
    changes = MapPage(1, StreamPosition("e", 12), "", 20, (), [entry("a", 12, removed=True)])
    page = reply(driver.answer(asked, changes))["subscribe"]
    assert (page["phase"], page["offset"]) == (1, 12)
    assert page["publications"] == [{"data": 1, "offset": 12, "key": "a", "removed": True}]
    asked = driver.ask(phase=1, epoch="e", offset=12)
    done = driver.answer(asked, MapPage(0, StreamPosition("e", 12), "", 0, (), [entry("b", 13)]), top=13)
    live = reply(done)["subscribe"]
    assert "phase" not in live
    assert (live["type"], live["offset"], live["epoch"], live["recoverable"]) == (1, 13, "e", True)
    assert live["publications"][0]["offset"] == 13
    assert "recovered" not in live
    assert only(done, act.Attach).channel == CHANNEL
    assert error_code(driver.ask()) == 105


def test_a_recovery_says_that_it_recovered(driver: MapDriver) -> None:
    asked = driver.ask(phase=1, recover=True, epoch="e", offset=5, flag=1)
    assert (step(asked).phase, step(asked).since) == (1, StreamPosition("e", 5))
    live = reply(driver.answer(asked, MapPage(0, StreamPosition("e", 5))))["subscribe"]
    assert (live["was_recovering"], live["recovered"], live["id"]) == (True, True, 7)


def test_an_unrecoverable_position_is_112_and_the_client_may_begin_again(driver: MapDriver) -> None:
    asked = driver.ask(phase=1, recover=True, epoch="old", offset=5)
    assert error_code(driver.reject(asked, 112)) == 112
    assert driver.live()["recoverable"]


def test_an_ephemeral_map_hides_its_stream(driver: MapDriver) -> None:
    page = reply(driver.answer(driver.ask(channel="cursors:1"), keys_page("0:a", entry("a"))))["subscribe"]
    assert "epoch" not in page
    assert "offset" not in page
    asked = driver.ask(channel="cursors:1", cursor="0:a")
    assert step(asked).since == StreamPosition("e", 7)
    live = reply(driver.answer(asked, MapPage(0, StreamPosition("e", 7))))["subscribe"]
    assert not {"recoverable", "epoch", "offset", "recovered"} & set(live)
    assert driver.connection.subscriptions["cursors:1"].features.positioned


@pytest.mark.parametrize(("wanted", "given"), [(0, 5), (1, 2), (7, 7), (99, 10), (-4, 5)])
def test_the_page_size_is_clamped(driver: MapDriver, wanted: int, given: int) -> None:
    assert step(driver.ask(limit=wanted)).limit == given


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": 0}, 107),
        ({"type": 2}, 107),
        ({"type": 4}, 107),
        ({"type": 9}, 108),
        ({"cursor": "0:a"}, 103),
        ({"phase": 1, "epoch": "e"}, 103),
        ({"channel": "room:1"}, 107),
        ({"tf": {"op": "or"}}, 107),
        ({"tf": {"key": "a", "cmp": "ex"}, "delta": "fossil"}, 107),
        ({"channel": "nowhere:1"}, 102),
        ({"token": "expired"}, 109),
    ],
)
def test_refusals(driver: MapDriver, body: dict[str, Any], code: int) -> None:
    assert error_code(driver.ask(**body)) == code
    assert driver.connection.subscriptions == {}


@pytest.mark.parametrize(("channel", "kind"), [("$clients:room:1", 2), ("$users:room:1", 3), ("$clients:a", 2)])
def test_presence_is_a_map_that_hides_its_stream(driver: MapDriver, channel: str, kind: int) -> None:
    asked = driver.ask(channel=channel, type=kind)
    request = only(asked, act.Subscribe).request
    assert (request.presence, request.join_leave, request.channel) == (False, False, channel)
    page = reply(driver.answer(asked, keys_page("a", entry("a", 0, b""))))["subscribe"]
    assert (page["type"], page["phase"], page["state"]) == (kind, 2, [{"key": "a"}])
    assert not {"epoch", "offset"} & set(page)
    asked = driver.ask(channel=channel, type=kind, cursor="a")
    live = reply(driver.answer(asked, MapPage(0, StreamPosition("e", 7))))["subscribe"]
    assert live["type"] == kind
    assert not {"phase", "recoverable", "epoch", "offset"} & set(live)
    assert error_code(driver.command("publish", channel=channel, type=1, key="a", data=1)) == 108
    assert error_code(driver.command("presence", channel=channel)) == 108


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "$clients:room:1", "type": 3}, 107),
        ({"channel": "$users:room:1", "type": 2}, 107),
        ({"channel": "$users:room:1", "type": 1}, 107),
        ({"channel": "$clients:room:1", "type": 0}, 107),
        ({"channel": "$clients:$users:room:1", "type": 2}, 107),
        ({"channel": "$clients:nowhere:1", "type": 2}, 102),
        ({"channel": "$clients:plain:1", "type": 2}, 108),
        ({"channel": "$clients:board:1", "type": 2, "cursor": "a"}, 103),
        ({"channel": "$clients:$a", "type": 2}, 103),
        ({"channel": "$clients:room:1", "type": 2, "tf": {"key": "a", "cmp": "ex"}}, 107),
    ],
)
def test_refusals_of_presence_as_a_map(driver: MapDriver, body: dict[str, Any], code: int) -> None:
    assert error_code(driver.ask(**body)) == code
    assert driver.connection.subscriptions == {}


def test_a_callback_gives_presence_nothing_but_an_end(driver: MapDriver) -> None:
    asked = driver.ask(channel="$users:guarded:1", type=3)
    ask = only(asked, act.AskPermission)
    assert (ask.channel, ask.about, ask.operation) == ("$users:guarded:1", "guarded:1", "subscribe")
    ends = WALL_START + driver.now - 100 + 1
    verdict = Granted(info=b'"info"', override={"presence": True, "join_leave": True}, expires_at=ends)
    asked = driver.connection.permission_answered(ask.channel, ask.attempt, verdict, driver.now)
    request = only(asked, act.Subscribe).request
    assert (request.presence, request.join_leave, request.info.chan_info) == (False, False, b"")
    live = reply(driver.answer(asked, MapPage(0, StreamPosition("e", 7))))["subscribe"]
    # Nothing that the client could refresh, which has no token: it is told when it ends, and asks again.
    assert "expires" not in live
    ended = driver.pass_time(1 + driver.env.limits.expired_grace_s)
    assert sent(ended)[-1]["push"]["unsubscribe"]["code"] == 2501


def test_what_a_callback_gives_with_its_yes_arrives(driver: MapDriver) -> None:
    asked = driver.ask(channel="mine:1")
    ask = only(asked, act.AskPermission)
    ends = WALL_START + driver.now - 100 + 60
    verdict = Granted(data=b'{"hello":1}', expires_at=ends)
    asked = driver.connection.permission_answered(ask.channel, ask.attempt, verdict, driver.now)
    live = reply(driver.answer(asked, MapPage(0, StreamPosition("e", 7))))["subscribe"]
    assert live["data"] == {"hello": 1}
    assert "expires" not in live


def test_only_who_came_with_a_token_is_told_to_refresh_it(driver: MapDriver) -> None:
    ends = WALL_START + driver.now - 100 + 60
    grant = SubscriptionGrant(user=driver.connection.user, channel=CHANNEL, expires_at=ends)
    driver.verifier.subscriptions["t"] = grant
    live = driver.live(token="t")
    assert (live["expires"], live["ttl"]) == (True, 60)


def test_a_token_opens_presence_that_is_closed_otherwise(driver: MapDriver) -> None:
    channel = "$users:watched:1"
    assert only(driver.ask(channel=channel, type=3), act.AskPermission).operation == "presence"
    driver.command("unsubscribe", channel=channel)
    other = "$clients:$guarded:1"
    driver.verifier.subscriptions["t"] = SubscriptionGrant(user=driver.connection.user, channel=other)
    only(driver.ask(channel=other, type=2, token="t"), act.Subscribe)


def test_who_is_taken_out_of_a_channel_watches_it_no_more(driver: MapDriver) -> None:
    driver.subscribe("room:1")
    driver.live(channel="$clients:room:1", type=2)
    driver.connection.unsubscribed("room:1", codes.UNSUBSCRIBE_INSUFFICIENT, tell_broker=True)
    assert set(driver.connection.subscriptions) == {"$clients:room:1"}
    driver.subscribe("room:1")
    ended = driver.connection.unsubscribed("room:1", codes.unsubscribe(2000, "server"), tell_broker=True)
    assert [push["push"]["channel"] for push in sent(ended)] == ["room:1", "$clients:room:1"]
    assert driver.connection.subscriptions == {}


def test_who_only_watches_is_taken_out_too(driver: MapDriver) -> None:
    driver.live(channel="$clients:room:1", type=2)
    asked = driver.ask(channel="$users:room:1", type=3)
    ended = driver.connection.unsubscribe_client("room:1", codes.unsubscribe(2000, "server"))
    assert [push["push"]["channel"] for push in sent(ended)] == ["$clients:room:1"]
    answer, push = sent(driver.answer(asked, keys_page("a", entry("a", 0, b""))))
    assert answer["subscribe"]["phase"] == 2
    assert push["push"]["channel"] == "$users:room:1"
    assert driver.connection.subscriptions == {}


def test_two_pages_at_once_are_refused(driver: MapDriver) -> None:
    asked = driver.ask()
    assert error_code(driver.ask()) == 113
    assert error_code(driver.ask(phase=1)) == 113
    driver.answer(asked, keys_page("0:a", entry("a")))
    assert error_code(driver.ask(type=2)) == 107
    again = driver.ask()
    assert (step(again).cursor, step(again).since) == ("", None)


def test_a_client_that_does_not_go_on_reading_is_closed_in_time(driver: MapDriver) -> None:
    driver.answer(driver.ask(), keys_page("0:a", entry("a")))
    driver.pass_time(1)
    driver.answer(driver.ask(channel="board:2"), keys_page("0:a", entry("a")))
    assert driver.pass_time(3.9) == []
    assert close_code(driver.pass_time(0.2)) == 3008
    assert driver.connection.subscriptions == {}


def test_what_is_read_in_time_ends_nothing(driver: MapDriver) -> None:
    driver.answer(driver.ask(), keys_page("0:a", entry("a")))
    driver.pass_time(2)
    driver.answer(driver.ask(channel="board:2"), keys_page("0:a", entry("a")))
    driver.answer(driver.ask(cursor="0:a"), MapPage(0, StreamPosition("e", 7)))
    driver.command("unsubscribe", channel="board:2")
    assert driver.pass_time(20) == []
    assert set(driver.connection.subscriptions) == {CHANNEL}


def test_time_that_the_shard_takes_counts_too(driver: MapDriver) -> None:
    asked = driver.ask()
    driver.pass_time(5.1)
    driver.answer(asked, keys_page("0:a", entry("a")))
    assert close_code(driver.pass_time(0.1)) == 3008


def test_unsubscribing_between_pages(driver: MapDriver) -> None:
    driver.answer(driver.ask(), keys_page("0:a", entry("a")))
    assert reply(driver.command("unsubscribe", channel=CHANNEL))["unsubscribe"] == {}
    assert error_code(driver.ask(cursor="0:a")) == 103


def test_unsubscribing_while_a_page_is_read_waits_for_it(driver: MapDriver) -> None:
    asked = driver.ask()
    assert sent(driver.command("unsubscribe", channel=CHANNEL)) == []
    first, second = sent(driver.answer(asked, keys_page("0:a", entry("a"))))
    assert first["subscribe"]["phase"] == 2
    assert second["unsubscribe"] == {}


def test_a_lost_socket_between_pages_tells_the_broker_nothing(driver: MapDriver) -> None:
    driver.answer(driver.ask(), keys_page("0:a", entry("a")))
    assert driver.connection.transport_closed() == []


def test_a_filter_chooses_among_keys_and_changes(driver: MapDriver) -> None:
    asked = driver.ask(tf={"key": "t", "cmp": "eq", "val": "x"})
    page = keys_page("0:b", entry("a", tags={"t": "x"}), entry("b", tags={"t": "y"}))
    assert [p["key"] for p in reply(driver.answer(asked, page))["subscribe"]["state"]] == ["a"]
    changes = [entry("c", 8), entry("d", 9, removed=True, tags={"t": "x"})]
    live = driver.answer(driver.ask(cursor="0:b"), MapPage(0, StreamPosition("e", 7), "", 0, (), changes))
    assert [p["key"] for p in reply(live)["subscribe"]["publications"]] == ["d"]


def test_with_deltas_values_are_text_from_the_first_page_on(driver: MapDriver) -> None:
    asked = driver.ask(delta="fossil")
    page = reply(driver.answer(asked, keys_page("0:a", entry("a", data=b'{"n": 1}'))))["subscribe"]
    assert page["state"][0]["data"] == '{"n": 1}'
    changes = [entry("b", 8, b"2"), entry("a", 9, b"", removed=True)]
    done = driver.answer(
        driver.ask(cursor="0:a", delta="fossil"), MapPage(0, StreamPosition("e", 7), "", 0, (), changes)
    )
    live = reply(done)["subscribe"]
    assert live["delta"]
    assert [p.get("data") for p in live["publications"]] == ["2", None]
    assert not any(p.get("delta") for p in live["publications"])


def test_the_servers_errors_end_the_reading(driver: MapDriver) -> None:
    driver.answer(driver.ask(), keys_page("0:a", entry("a")))
    asked = driver.ask(cursor="0:a")
    request = only(asked, act.Subscribe).request
    failed = driver.connection.subscribe_answered(CHANNEL, request.subscription, BrokerError(100, "x"), driver.now)
    assert error_code(failed) == 100
    assert driver.connection.subscriptions == {}


def test_permission_is_asked_once(driver: MapDriver) -> None:
    asked = driver.ask(channel="mine:1")
    ask = only(asked, act.AskPermission)
    assert error_code(driver.ask(channel="mine:1")) == 113
    granted = driver.connection.permission_answered("mine:1", ask.attempt, True, driver.now)
    driver.answer(granted, keys_page("0:a", entry("a")))
    assert only(driver.ask(channel="mine:1", cursor="0:a"), act.Subscribe)
