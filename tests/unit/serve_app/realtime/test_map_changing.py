"""Setting and removing keys of maps: who may, and which."""

import json
from typing import Any

import pytest

from actors.brokers.contract import StreamPosition
from actors.protocol import frames
from serve_app.realtime import actions as act
from tests.fixtures.realtime import MAP_CHANNEL as CHANNEL
from tests.fixtures.realtime import MapDriver, error_code, only, reply


@pytest.fixture
def driver() -> MapDriver:
    made = MapDriver()
    made.connect()
    return made


def change(driver: MapDriver, channel: str, key: str = "k", **body: Any) -> list[act.Action]:
    fields = {"data": {"n": 1}, **body} if not body.get("removed") else body
    return driver.command("publish", channel=channel, type=1, key=key, **fields)


def test_who_may_set_and_remove_keys(driver: MapDriver) -> None:
    assert error_code(change(driver, CHANNEL)) == 103
    driver.live()
    asked = only(change(driver, CHANNEL, "a"), act.Publish)
    assert (asked.change.key, asked.change.removed, json.loads(asked.data)) == ("a", False, {"n": 1})
    answered = driver.connection.call_answered(asked.command, StreamPosition("e", 1))
    assert reply(answered)["publish"] == {}
    asked = only(change(driver, "board:2", "a", removed=True), act.Publish)
    assert (asked.change.removed, asked.data) == (True, b"")


@pytest.mark.parametrize(
    ("channel", "body", "code"),
    [
        ("room:1", {}, 108),
        ("nowhere:1", {}, 102),
        ("cursors:1", {"data": frames.EMPTY}, 107),
    ],
)
def test_what_cannot_be_changed(driver: MapDriver, channel: str, body: dict[str, Any], code: int) -> None:
    if body:
        assert error_code(driver.command("publish", channel=channel, type=1, key="k")) == code
    else:
        assert error_code(change(driver, channel)) == code


def test_a_key_is_needed(driver: MapDriver) -> None:
    driver.live()
    assert error_code(change(driver, CHANNEL, "")) == 107


def test_streams_publications_are_not_for_maps(driver: MapDriver) -> None:
    assert error_code(driver.command("publish", channel="cursors:1", data=1)) in (103, 107)
    assert error_code(driver.command("publish", channel="room:1", data=1, type=2)) == 108


def test_the_server_chooses_the_key(driver: MapDriver) -> None:
    assert only(change(driver, "cursors:1", "any"), act.Publish).change.key == "c1"
    assert only(change(driver, "mine:1", "any"), act.Publish).change.key == "u1"
    nobody = MapDriver(anonymous=True)
    nobody.command("connect")
    assert error_code(change(nobody, "mine:1", "any")) == 107
