"""A fresh subscription token that says other things than the one before."""

from typing import Any

import pytest

from actors.protocol import tags_filter
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from tests.fixtures.realtime import Driver, only, sent


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.connect()
    return driver


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"tags": tags_filter.parse(b'{"key":"team","cmp":"eq","val":"red"}')}),
        ({"tags": tags_filter.parse(b'{"key":"team","cmp":"eq","val":"red"}')}, {}),
        ({"overrides": (("presence", True),)}, {"overrides": (("presence", False),)}),
    ],
)
def test_a_fresh_token_with_other_rules_makes_the_client_subscribe_again(
    driver: Driver, before: dict[str, Any], after: dict[str, Any]
) -> None:
    driver.verifier.subscriptions |= {
        "t": SubscriptionGrant("u1", "$room:1", token_id="j1", **before),
        "same": SubscriptionGrant("u1", "$room:1", token_id="j2", **before),
        "other": SubscriptionGrant("u1", "$room:1", token_id="j3", **after),
    }
    driver.subscribe("$room:1", token="t")
    same = driver.command("sub_refresh", channel="$room:1", token="same")
    assert [type(action) for action in same] == [act.Send, act.RegisterGrant]
    driver.check_grants(same)
    other = driver.command("sub_refresh", channel="$room:1", token="other")
    refreshed, ended = sent(other)
    assert "sub_refresh" in refreshed
    assert ended["push"]["unsubscribe"] == {"code": 2500, "reason": "token changed"}
    assert only(other, act.Detach).tell_broker
    assert driver.connection.subscriptions == {}
    driver.subscribe("$room:1", token="other")
    sub = driver.connection.subscriptions["$room:1"]
    assert (sub.overrides, sub.imposed) == (after.get("overrides", ()), after.get("tags"))
