"""Callbacks that want to be asked again."""

from typing import Any

import pytest

from actors.brokers.contract import MapPage, StreamPosition
from actors.protocol.codes import ERROR_INTERNAL, ERROR_NOT_AVAILABLE
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from serve_app.realtime.environment import Limits
from serve_app.realtime.verdicts import Granted
from tests.fixtures.realtime import WALL_START, Driver, MapDriver, only, reply, sent


@pytest.fixture
def driver() -> Driver:
    driver = Driver(limits=Limits(ping_s=10_000))
    driver.connect()
    return driver


def questioned(driver: Driver, *, again_s: float = 30, ends_s: float | None = None, **body: Any) -> act.AskPermission:
    """Subscribed to `members:1`, with a callback that wants to be asked again. Returns what it was asked."""
    asked: act.AskPermission = only(driver.command("subscribe", channel="members:1", **body), act.AskPermission)
    driver.accept(answer(driver, asked, granted(driver, again_s, ends_s)), top=4)
    return asked


def granted(driver: Driver, again_s: float, ends_s: float | None = None) -> Granted:
    wall = driver.env.wall()
    return Granted(again_at=wall + again_s, expires_at=None if ends_s is None else wall + ends_s)


def answer(driver: Driver, asked: act.AskPermission, verdict: Any) -> list[act.Action]:
    return driver.connection.permission_answered(asked.channel, asked.attempt, verdict, driver.now)


def test_a_callback_is_asked_again_and_nothing_happens_while_it_says_yes(driver: Driver) -> None:
    asked = questioned(driver, data={"why": 1})
    for _ in range(3):
        assert driver.pass_time(29) == []
        assert driver.pass_time(2) == [asked], "the same question, once"
        assert driver.pass_time(8) == [], "it goes on while it is decided"
        assert answer(driver, asked, granted(driver, 30)) == []
    driver.pass_time(30)
    assert answer(driver, asked, True) == []
    assert driver.pass_time(500) == [], "True is for good"
    assert "members:1" in driver.connection.subscriptions


def test_a_callback_that_refuses_when_it_is_asked_again_ends_the_subscription_for_good(driver: Driver) -> None:
    for verdict in (False, ERROR_NOT_AVAILABLE, Granted(expires_at=WALL_START - 1)):
        asked = questioned(driver)
        assert driver.pass_time(30) == [asked]
        ended = answer(driver, asked, verdict)
        assert only(ended, act.Detach).channel == "members:1"
        assert reply(ended)["push"] == {
            "channel": "members:1",
            "unsubscribe": {"code": 2000, "reason": "permission withdrawn"},
        }
        assert driver.connection.subscriptions == {}
        assert answer(driver, asked, True) == [], "too late"
    assert not driver.connection.is_closed()


def test_a_callback_that_cannot_decide_is_asked_soon_and_not_for_ever(driver: Driver) -> None:
    asked = questioned(driver, ends_s=60)
    assert driver.pass_time(30) == [asked]
    for _ in range(5):
        assert answer(driver, asked, ERROR_INTERNAL) == []
        assert driver.pass_time(4.9) == []
        assert driver.pass_time(0.2) == [asked]
    assert answer(driver, asked, granted(driver, 30, 60)) == [], "it has come back"
    assert driver.pass_time(30) == [asked]
    assert answer(driver, asked, ERROR_INTERNAL) == []
    ended = [message for message in sent(driver.pass_time(60)) if message]
    assert ended[-1]["push"]["unsubscribe"]["code"] == 2501, "SDKs subscribe again, and are refused or let in"


def test_nobody_is_asked_about_what_has_ended_or_begun_anew(driver: Driver) -> None:
    asked = questioned(driver)
    driver.command("unsubscribe", channel="members:1")
    assert driver.pass_time(60) == []
    again = questioned(driver)
    assert answer(driver, asked, False) == [], "about the subscription before"
    assert driver.pass_time(30) == [again]


def test_presence_as_a_map_is_asked_about_again_too() -> None:
    driver = MapDriver(limits=Limits(ping_s=10_000))
    driver.connect()
    asked = only(driver.command("subscribe", channel="$clients:watched:1", type=2, phase=2), act.AskPermission)
    assert (asked.operation, asked.about) == ("presence", "watched:1")
    driver.answer(answer(driver, asked, granted(driver, 30)), MapPage(0, StreamPosition("e", 9)))
    assert driver.pass_time(30) == [asked]
    assert reply(answer(driver, asked, False))["push"]["unsubscribe"]["code"] == 2000


def test_what_a_callback_grants_until_then_is_not_the_client_s_to_refresh(driver: Driver) -> None:
    """An SDK that names no channel in `sub_refresh` means the one that it has a token for."""
    questioned(driver, ends_s=60)
    driver.verifier.subscriptions["t"] = SubscriptionGrant("u1", "$room:1", expires_at=driver.env.wall() + 60)
    driver.subscribe("$room:1", token="t")
    assert "sub_refresh" in reply(driver.command("sub_refresh", token="t"))


def test_in_insecure_mode_nothing_ends() -> None:
    driver = Driver(limits=Limits(ping_s=10_000), insecure=True)
    driver.connect()
    assert driver.command("subscribe", channel="members:1")
    assert driver.pass_time(1_000) == []
