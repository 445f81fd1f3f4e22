"""Letting clients in: tokens whose keys are elsewhere, the connect handler, capabilities, what refreshes change."""

from typing import Any

import pytest

from actors.brokers.contract import Publication
from actors.protocol.codes import DISCONNECT_PERMISSION_DENIED, ERROR_UNAUTHORIZED
from serve_app.realtime import actions as act
from serve_app.realtime import capabilities
from serve_app.realtime.connection import ConnectionState
from serve_app.realtime.credentials import (
    ClaimedSubscription,
    Credentials,
    CredentialsInvalid,
    CredentialsUnverifiable,
    KeysMissing,
    SubscriptionGrant,
)
from serve_app.realtime.environment import Limits
from serve_app.realtime.verdicts import Admission
from tests.fixtures.realtime import WALL_START, Driver, FakeVerifier, close_code, error_code, only, reply, sent


class Remote(FakeVerifier):
    """A verifier whose keys come from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict: Exception | None = None

    async def fetch(self) -> None:
        """What a hub awaits."""

    def connection(self, token: str) -> Credentials:
        if self.verdict is not None:
            raise self.verdict
        return super().connection(token)

    def subscription(self, token: str) -> SubscriptionGrant:
        if self.verdict is not None:
            raise self.verdict
        return super().subscription(token)


def remote(**environment: Any) -> tuple[Driver, Remote]:
    driver, verifier = Driver(**environment), Remote()
    driver.env.verifier = driver.verifier = verifier
    return driver, verifier


def test_everything_waits_in_order_while_keys_are_fetched() -> None:
    driver, verifier = remote()
    verifier.verdict = KeysMissing(verifier.fetch)
    waiting = driver.frame(
        {"id": 1, "connect": {"token": "good:u1"}},
        {"id": 2, "subscribe": {"channel": "a"}},
        {"id": 3, "subscribe": {"channel": "b"}},
    )
    assert [type(action) for action in waiting] == [act.FetchKeys]
    assert driver.frame({"id": 4, "unsubscribe": {"channel": "a"}}) == []
    verifier.verdict = None
    assert isinstance(driver.connection.keys_fetched(driver.now)[0], act.Register)
    done = driver.connection.registered(True, driver.now)
    assert reply([action for action in done if isinstance(action, act.Send)])["connect"]
    asked = [action.request.channel for action in done if isinstance(action, act.Subscribe)]
    assert asked == ["a", "b"]
    assert driver.connection.keys_fetched(driver.now) == []


@pytest.mark.parametrize(("verdict", "code", "closed"), [(CredentialsInvalid(), None, 3500),
                                                         (CredentialsUnverifiable(), 100, None)])  # fmt: skip
def test_after_the_fetch_a_token_is_invalid_or_unverifiable(verdict: Exception, code: int | None, closed: int) -> None:
    driver, verifier = remote()
    verifier.verdict = KeysMissing(verifier.fetch)
    driver.command("connect", token="x")
    verifier.verdict = verdict
    done = driver.connection.keys_fetched(driver.now)
    assert close_code(done) == closed
    if code is not None:
        assert reply(done)["error"] == {"code": 100, "message": "internal server error", "temporary": True}
        assert driver.connection.state is ConnectionState.REFUSED


def test_keys_are_fetched_once_for_a_command() -> None:
    driver, verifier = remote()
    verifier.verdict = KeysMissing(verifier.fetch)
    driver.command("connect", token="x")
    assert error_code(driver.connection.keys_fetched(driver.now)) == 100
    driver, verifier = remote()
    driver.connect()
    verifier.verdict = KeysMissing(verifier.fetch)
    for _ in range(2):
        only(driver.command("subscribe", channel="$room:1", token="t"), act.FetchKeys)
        assert error_code(driver.connection.keys_fetched(driver.now)) == 100


def test_a_subscription_token_that_cannot_be_verified_is_tried_again_by_the_client() -> None:
    driver, verifier = remote()
    driver.connect()
    verifier.verdict = KeysMissing(verifier.fetch)
    assert isinstance(driver.command("subscribe", channel="$room:1", token="t")[0], act.FetchKeys)
    verifier.verdict = CredentialsUnverifiable()
    assert error_code(driver.connection.keys_fetched(driver.now)) == 100
    assert driver.connection.state is ConnectionState.CONNECTED
    assert error_code(driver.command("refresh", token="t")) == 100


def test_a_connection_that_is_gone_forgets_what_waited() -> None:
    driver, verifier = remote()
    verifier.verdict = KeysMissing(verifier.fetch)
    driver.command("connect", token="x")
    driver.connection.transport_closed()
    assert driver.connection.keys_fetched(driver.now) == []
    driver, verifier = remote()
    verifier.verdict = KeysMissing(verifier.fetch)
    driver.command("connect", token="x")
    assert close_code(driver.pass_time(11)) == 3502


# The connect handler


def test_the_handler_may_let_in_who_has_no_token() -> None:
    driver = Driver(asks_on_connect=True)
    asked = only(driver.command("connect", data={"ticket": 1}, name="app", headers={"x-a": "b"}), act.AskConnect)
    assert (asked.credentials, bytes(asked.request.data)) == (None, b'{"ticket": 1}')
    assert (asked.request.name, asked.request.headers) == ("app", {"x-a": "b"})
    credentials = Credentials("u7", info=b"1", expires_at=WALL_START + 60)
    answered = driver.connection.connect_answered(Admission(credentials, b'{"hello":1}'), driver.now)
    assert isinstance(answered[0], act.Register)
    result = reply(driver.connection.registered(True, driver.now))["connect"]
    # Nothing tells the client to refresh: it has no token to refresh with.
    assert (result["data"], "expires" in result) == ({"hello": 1}, False)
    assert close_code(driver.command("refresh", token="good:u7")) == 3501


def test_what_the_handler_let_in_ends_when_it_said() -> None:
    driver = Driver(asks_on_connect=True, limits=Limits(ping_s=1000))
    driver.command("connect")
    driver.connection.connect_answered(Admission(Credentials("u7", expires_at=WALL_START + 60)), driver.now)
    driver.connection.registered(True, driver.now)
    assert close_code(driver.pass_time(84)) is None
    assert close_code(driver.pass_time(2)) == 3005


def test_the_handler_sees_what_the_token_says_and_may_refuse() -> None:
    driver = Driver(asks_on_connect=True)
    asked = only(driver.command("connect", token="good:u1"), act.AskConnect)
    assert asked.credentials is not None
    assert asked.credentials.user == "u1"
    assert close_code(driver.connection.connect_answered(DISCONNECT_PERMISSION_DENIED, driver.now)) == 3507
    driver = Driver(asks_on_connect=True)
    driver.command("connect", token="good:u1")
    assert error_code(driver.connection.connect_answered(ERROR_UNAUTHORIZED, driver.now)) == 101
    assert driver.connection.state is ConnectionState.REFUSED
    driver = Driver(asks_on_connect=True)
    driver.command("connect")
    late = Admission(Credentials("u", expires_at=WALL_START - 1))
    assert error_code(driver.connection.connect_answered(late, driver.now)) == 110
    assert driver.connection.connect_answered(late, driver.now) == []


def test_a_forged_token_is_not_shown_to_the_handler() -> None:
    assert close_code(Driver(asks_on_connect=True).command("connect", token="forged")) == 3500


def test_a_handler_that_never_answers_ends_in_an_error() -> None:
    driver = Driver(asks_on_connect=True)
    driver.command("connect", token="good:u1")
    assert close_code(driver.pass_time(6)) == 3004
    assert driver.connection.connect_answered(Admission(Credentials("u")), driver.now) == []


# Capabilities


def with_capabilities(driver: Driver, *entries: dict[str, Any], token: str = "t") -> None:
    caps = capabilities.parse(list(entries))
    driver.verifier.connections[token] = Credentials("u1", capabilities=caps, meta=b'{"m":1}', issued_at=5.0)


def test_capabilities_allow_what_the_namespace_does_not() -> None:
    driver = Driver()
    with_capabilities(driver, {"channels": ["closed:*"], "match": "wildcard", "allow": ["sub", "pub"]})
    driver.command("connect", token="t")
    driver.connection.registered(True, driver.now)
    assert driver.connection.meta == b'{"m":1}'
    assert "subscribe" in reply(driver.subscribe("closed:1"))
    assert only(driver.command("publish", channel="closed:1", data=1), act.Publish).channel == "closed:1"
    assert error_code(driver.command("subscribe", channel="own:x#other")) == 103
    assert error_code(driver.command("subscribe", channel="$closed:1")) == 103
    assert error_code(driver.command("history", channel="closed:1")) == 108


def test_who_need_not_wait_for_registration_asks_for_its_subscriptions_once() -> None:
    driver = Driver()
    claims = {"room:1": ClaimedSubscription(), "room:2": ClaimedSubscription()}
    driver.verifier.connections["t"] = Credentials("", subs=claims)
    since = {"room:1": {"recover": True, "epoch": "e", "offset": 3}}
    asked = [a for a in driver.command("connect", token="t", subs=since) if isinstance(a, act.Subscribe)]
    missed = (Publication(b"4", offset=4, epoch="e"),)
    driver.accept(asked[:1], top=4, recovered=True, publications=missed)
    assert driver.connection.registered(True, driver.now) == []
    result = reply(driver.accept(asked[1:]))["connect"]["subs"]["room:1"]
    assert (result["recovered"], [pub["offset"] for pub in result["publications"]]) == (True, [4])
    assert driver.connection.registered(True, driver.now) == []
    assert close_code(driver.connection.registered(False, driver.now)) == 3503


def test_a_refresh_is_checked_where_connections_are_registered() -> None:
    driver = Driver()
    driver.connect()
    driver.verifier.connections["t2"] = Credentials("u1", issued_at=7.0, token_id="j2")
    done = driver.command("refresh", token="t2")
    assert "refresh" in sent(done)[0]
    assert only(done, act.Register).issued_at_ms == 7000
    assert driver.connection.token_id == "j2"
    assert driver.connection.registered(True, driver.now) == []
    assert close_code(driver.connection.registered(False, driver.now)) == 3503


def test_a_refresh_brings_new_capabilities() -> None:
    driver = Driver()
    with_capabilities(driver, {"channels": ["closed:1"], "allow": ["pub"]})
    driver.command("connect", token="t")
    driver.connection.registered(True, driver.now)
    only(driver.command("publish", channel="closed:1", data=1), act.Publish)
    with_capabilities(driver, token="t2")
    assert "refresh" in reply(driver.command("refresh", token="t2"))
    assert error_code(driver.command("publish", channel="closed:1", data=1)) == 103


def test_a_subscription_token_brings_rules_and_capabilities_for_its_channel() -> None:
    driver = Driver()
    driver.connect()
    grant = SubscriptionGrant(
        "u1", "closed:1", overrides=(("presence", True), ("join_leave", True)), allow=frozenset({"pub"})
    )
    driver.verifier.subscriptions["s"] = grant
    asked = driver.command("subscribe", channel="closed:1", token="s", join_leave=True)
    request = only(asked, act.Subscribe).request
    assert (request.presence, request.join_leave) == (True, True)
    assert error_code(driver.command("publish", channel="closed:2", data=1)) == 103
    driver.accept(asked)
    only(driver.command("publish", channel="closed:1", data=1), act.Publish)
    driver.verifier.subscriptions["s2"] = SubscriptionGrant("u1", "closed:1", overrides=grant.overrides)
    assert "sub_refresh" in reply(driver.command("sub_refresh", channel="closed:1", token="s2"))
    assert error_code(driver.command("publish", channel="closed:1", data=1)) == 103
    assert sent(driver.command("unsubscribe", channel="closed:1"))


def test_a_refresh_with_another_login_session_s_token_belongs_to_that_session() -> None:
    driver = Driver()
    driver.connect()
    assert driver.connection.session == "s1"
    driver.verifier.connections["t2"] = Credentials("u1", session="s2", issued_at=7.0)
    driver.command("refresh", token="t2")
    assert driver.connection.session == "s2", "its end must end the connection"


def test_without_a_user_a_token_may_be_revoked_and_is_asked_about_first() -> None:
    driver = Driver()
    driver.verifier.connections["t"] = Credentials("", token_id="j")
    actions = driver.command("connect", token="t")
    only(actions, act.Register)
    assert sent(actions) == []
    assert close_code(driver.connection.registered(False, driver.now)) == 3503


@pytest.mark.parametrize("claimed", [128, 129])
def test_a_token_may_not_name_more_channels_than_a_connection_may_have(claimed: int) -> None:
    driver = Driver()
    subs = {f"open:{number}": ClaimedSubscription() for number in range(claimed)}
    driver.verifier.connections["t"] = Credentials("u1", subs=subs)
    actions = driver.command("connect", token="t")
    if claimed > 128:
        assert close_code(actions) == 3505
        assert driver.connection.subscriptions == {}
    else:
        only(actions, act.Register)


def test_a_token_that_nothing_can_revoke_is_not_asked_about() -> None:
    driver = Driver(anonymous=True)
    driver.grants_stand = False
    driver.command("connect")
    driver.verifier.subscriptions["t"] = SubscriptionGrant("", "$room:1")
    only(driver.command("subscribe", channel="$room:1", token="t"), act.Subscribe)
