import json

import pytest

from actors.brokers.contract import ClientInfo, Publication
from actors.protocol.frames import SubscribeRequest
from actors.protocol.namespaces import Namespace
from actors.protocol.tags_filter import parse
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from serve_app.realtime.permits import Features
from serve_app.realtime.subscription import TTL_MAX_S, Subscription, ttl
from serve_app.realtime.verdicts import Granted
from tests.fixtures.realtime import Driver, only, reply


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.connect()
    return driver


@pytest.mark.parametrize(("until", "seconds"), [(100.0, 1), (159.9, 59), (50.0, 1), (10**12, TTL_MAX_S)])
def test_a_time_to_live_is_whole_seconds_never_zero_and_bounded(until: float, seconds: int) -> None:
    assert ttl(until, 100.0) == seconds


def test_cache_mode_and_the_recovery_bound_come_from_the_namespace() -> None:
    namespace = Namespace(force_recovery_mode="cache", recovery_max_publications=5)
    request = SubscribeRequest(channel="c", recover=True, epoch="e", offset=1)
    sub = Subscription("c", namespace, 3, ClientInfo("u", "c1"), Features(True, True, False), request)
    asked = sub.broker_request()
    assert (asked.cache_mode, asked.recovery_limit, asked.subscription) == (True, 5, 3)
    assert not sub.rejects_unrecovered


def test_server_side_pushes_are_never_compacted() -> None:
    request = SubscribeRequest(channel="c", flag=1)
    features = Features(False, False, False)
    assert Subscription("c", Namespace(), 1, ClientInfo("u", "c1"), features, request).compact
    assert not Subscription("c", Namespace(), 1, ClientInfo("u", "c1"), features, request, server_side=True).compact


# Filters of the server

ANN: dict[str, str] = {"key": "for", "cmp": "eq", "val": "ann"}
LOUD: dict[str, str] = {"key": "loud", "cmp": "ex"}


def imposing(driver: Driver, token: str, channel: str = "scores:1") -> str:
    tags = parse(json.dumps(ANN).encode())
    driver.verifier.subscriptions[token] = SubscriptionGrant("u1", channel, tags=tags, allow=frozenset({"hst"}))
    return token


def test_a_token_may_impose_a_filter_beside_the_clients_own(driver: Driver) -> None:
    driver.subscribe("scores:1", token=imposing(driver, "t"), tf=LOUD)
    wanted = driver.connection.subscriptions["scores:1"].tags
    assert wanted is not None
    seen = [tags for tags in ({"for": "ann"}, {"loud": ""}, {"for": "ann", "loud": ""}) if wanted.matches(tags)]
    assert seen == [{"for": "ann", "loud": ""}]


def test_what_a_filter_withholds_is_neither_recovered_nor_the_base_of_a_delta_nor_in_the_history(
    driver: Driver,
) -> None:
    asked = driver.command(
        "subscribe", channel="scores:1", token=imposing(driver, "t"), delta="fossil", recover=True, epoch="e", offset=2
    )
    missed = (
        Publication(b"3", offset=3, epoch="e", tags={"for": "bob"}),
        Publication(b"4", offset=4, epoch="e", tags={"for": "ann"}),
    )
    result = reply(driver.accept(asked, top=4, recovered=True, publications=missed))["subscribe"]
    assert [publication["data"] for publication in result["publications"]] == [4]
    assert "delta" not in result
    read = only(driver.command("history", channel="scores:1", limit=10), act.History)
    assert read.tags == parse(json.dumps(ANN).encode())


def test_a_callback_may_impose_a_filter(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="members:1")
    attempt = only(asked, act.AskPermission).attempt
    granted = Granted(tags_filter=json.dumps(ANN).encode())
    driver.accept(driver.connection.permission_answered("members:1", attempt, granted.checked(), driver.now))
    wanted = driver.connection.subscriptions["members:1"].tags
    assert wanted is not None
    assert not wanted.matches({})
