"""Subscribing to shared polls and tracking keys, as commands and replies, and every way in which they may fail."""

from typing import Any

import pytest

from actors.brokers.contract import Publication
from actors.protocol import codes
from serve_app.realtime import actions as act
from tests.fixtures.polls import CHANNEL, POLL_NAMESPACES, SECRET, batch
from tests.fixtures.realtime import WALL_START, Driver, error_code, only, reply, sent

END = int(WALL_START) + 60


def made(**environment: Any) -> Driver:
    driver = Driver(text=POLL_NAMESPACES, **{"polls": ["prices"], "track_secret": SECRET, **environment})
    driver.connect()
    return driver


@pytest.fixture
def driver() -> Driver:
    driver = made()
    driver.subscribe(CHANNEL, type=4)
    return driver


def track(driver: Driver, *batches: dict[str, Any], **body: Any) -> list[act.Action]:
    return driver.command("sub_refresh", channel=CHANNEL, type=1, track=list(batches), **body)


def test_subscribing_answers_the_epoch() -> None:
    driver = made()
    actions = driver.subscribe(CHANNEL, type=4, flag=1)
    assert reply(actions)["subscribe"] == {"type": 4, "epoch": "first"}
    assert only(actions, act.Attach).channel == CHANNEL


@pytest.mark.parametrize(
    ("environment", "body", "code"),
    [
        ({}, {"channel": CHANNEL}, 107),
        ({}, {"channel": CHANNEL, "type": 1}, 107),
        ({}, {"channel": CHANNEL, "type": 2}, 107),
        ({}, {"channel": "room:1", "type": 4}, 107),
        ({}, {"channel": "nobody:1", "type": 4}, 108),
        ({"track_secret": b""}, {"channel": CHANNEL, "type": 4}, 108),
        ({}, {"channel": CHANNEL, "type": 4, "tf": {"key": "a", "cmp": "ex"}}, 107),
        ({}, {"channel": CHANNEL, "type": 4, "token": "expired"}, 109),
        ({}, {"channel": CHANNEL, "type": 4, "token": "bad"}, 103),
    ],
)
def test_subscribing_is_refused(environment: dict[str, Any], body: dict[str, Any], code: int) -> None:
    assert error_code(made(**environment).command("subscribe", **body)) == code


def test_tracking_asks_the_hub_and_answers_what_is_newer(driver: Driver) -> None:
    asked = only(track(driver, batch("a", "b", b=4), batch("c", end=END), untrack=["b"]), act.Track)
    assert (asked.channel, asked.items, asked.untrack) == (CHANNEL, {"a": 0, "b": 4, "c": 0}, ("b",))
    assert asked.ends == {"c": END + 5.0}
    answer = [Publication(b'{"n":1}', key="a", version=3)]
    result = reply(driver.connection.tracked(asked, answer))["sub_refresh"]
    assert result == {"expires": True, "ttl": 60, "items": [{"data": {"n": 1}, "key": "a", "version": 3}]}
    assert driver.connection.commands == 0


def test_without_an_end_there_is_none_to_tell(driver: Driver) -> None:
    asked = only(track(driver, batch("a")), act.Track)
    assert reply(driver.connection.tracked(asked, []))["sub_refresh"] == {}


def test_the_ttl_is_that_of_the_first_signature_to_end(driver: Driver) -> None:
    asked = only(track(driver, batch("a", end=END), batch("b", end=END - 20)), act.Track)
    assert reply(driver.connection.tracked(asked, []))["sub_refresh"]["ttl"] == 40


def test_of_two_signatures_for_a_key_the_longer_one_counts(driver: Driver) -> None:
    assert only(track(driver, batch("a", end=END), batch("a", end=END - 20)), act.Track).ends == {"a": END + 5.0}
    assert only(track(driver, batch("a", end=END), batch("a")), act.Track).ends == {}


def test_a_signature_in_its_time_of_grace_is_to_be_replaced_at_once(driver: Driver) -> None:
    driver.now += 64
    asked = only(track(driver, batch("a", end=END)), act.Track)
    assert reply(driver.connection.tracked(asked, []))["sub_refresh"] == {"expires": True}


def test_after_the_time_of_grace_it_is_refused(driver: Driver) -> None:
    driver.now += 66
    assert error_code(track(driver, batch("b"), batch("a", end=END))) == 109


def test_insecure_servers_ask_for_no_signature() -> None:
    driver = made(insecure=True, track_secret=b"")
    driver.subscribe(CHANNEL, type=4)
    assert only(track(driver, {"items": [{"key": "a"}]}), act.Track).items == {"a": 0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"track": []}, 107),
        ({"track": [batch()]}, 107),
        ({"track": [batch("")]}, 107),
        ({"track": [batch("a\0b")]}, 107),
        ({"track": [batch("ninebytes")]}, 107),
        ({"track": [batch("a"), batch("b", user="u2")]}, 103),
        ({"track": [batch("a", secret=b"other")]}, 103),
        ({"track": [{"items": [{"key": "a"}]}]}, 103),
        ({"channel": "prices:us", "track": [batch("a")]}, 103),
        ({"channel": "room:1", "track": [batch("a")]}, 108),
        ({"type": 2}, 107),
        ({"type": 2, "untrack": ["a"], "track": [batch("a")]}, 107),
        ({"type": 3}, 107),
    ],
)
def test_refusals(driver: Driver, body: dict[str, Any], code: int) -> None:
    driver.subscribe("room:1")
    assert error_code(driver.command("sub_refresh", **{"channel": CHANNEL, "type": 1, **body})) == code


def test_the_hubs_refusal_is_told(driver: Driver) -> None:
    asked = only(track(driver, batch("a")), act.Track)
    assert error_code(driver.connection.tracked(asked, codes.ERROR_LIMIT_EXCEEDED)) == 106
    assert driver.connection.commands == 0


def test_untracking(driver: Driver) -> None:
    actions = driver.command("sub_refresh", channel=CHANNEL, type=2, untrack=["a", "b"])
    assert only(actions, act.Untrack).keys == ("a", "b")
    assert reply(actions)["sub_refresh"] == {}


def test_tracking_before_the_subscription_is_answered_waits_for_it() -> None:
    driver = made()
    asked = driver.command("subscribe", channel=CHANNEL, type=4)
    assert track(driver, batch("a")) == []
    assert only(driver.accept(asked), act.Track).items == {"a": 0}


def test_a_closed_connection_is_told_nothing(driver: Driver) -> None:
    asked = only(track(driver, batch("a")), act.Track)
    driver.connection.transport_closed()
    assert sent(driver.connection.tracked(asked, [])) == []
