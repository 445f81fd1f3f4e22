import json
from typing import Any

import pytest
from centrifuge.protocol import client_pb2

from actors.brokers.contract import Publication
from actors.protocol import frames
from actors.protocol.codes import ERROR_INTERNAL, UNSUBSCRIBE_INSUFFICIENT, UNSUBSCRIBE_SERVER
from actors.protocol.protobuf_codec import PROTOBUF, WIRE
from serve_app.realtime import actions as act
from serve_app.realtime.credentials import SubscriptionGrant
from serve_app.realtime.environment import Limits
from serve_app.realtime.verdicts import Granted
from tests.fixtures.realtime import WALL_START, Driver, close_code, error_code, only, reply, sent


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.connect()
    return driver


def test_a_subscription_is_answered_and_then_attached(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1")
    request = only(asked, act.Subscribe).request
    assert (request.presence, request.join_leave, request.positioned, request.since) == (True, True, True, None)
    assert (request.info.user, request.info.conn_info) == ("u1", b'{"name":"n"}')
    done = driver.accept(asked, top=4)
    assert [type(action) for action in done] == [act.Send, act.Attach]
    assert reply(done)["subscribe"] == {"recoverable": True, "positioned": True, "epoch": "e", "offset": 4}


def test_a_channel_without_positions_says_nothing_about_them(driver: Driver) -> None:
    assert reply(driver.subscribe("plain:1", recoverable=True, positioned=True, top=4))["subscribe"] == {}


def test_what_a_client_asks_for_is_granted_where_the_namespace_allows_it(driver: Driver) -> None:
    assert "positioned" not in reply(driver.subscribe("a"))["subscribe"]
    assert reply(driver.subscribe("b", positioned=True))["subscribe"] == {"positioned": True, "epoch": "e"}
    assert reply(driver.subscribe("c", recoverable=True))["subscribe"]["recoverable"] is True


def test_compaction_gives_the_channels_number_to_clients_that_understand_it(driver: Driver) -> None:
    assert reply(driver.subscribe("a", flag=1))["subscribe"] == {"id": 7}
    assert reply(driver.subscribe("b", flag=4))["subscribe"] == {}
    assert reply(driver.subscribe("plain:1", flag=1))["subscribe"] == {}


def test_protobuf_pushes_name_their_channel() -> None:
    driver = Driver(codec=PROTOBUF)
    connect = frames.ConnectRequest(token="good:u1")
    driver.connection.receive(command(1, connect=connect), driver.now)
    driver.connection.registered(True, driver.now)
    subscribe = frames.SubscribeRequest(channel="a", flag=frames.FLAG_CHANNEL_COMPACTION)
    driver.connection.receive(command(2, subscribe=subscribe), driver.now)
    assert not driver.connection.subscriptions["a"].compact


def command(number: int, **body: Any) -> bytes:
    content = WIRE.encode(frames.Command(id=number, **body))
    return bytes([len(content)]) + content


def test_recovery_returns_the_missed_publications_from_the_clients_own_offset(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="e", offset=2)
    since = only(asked, act.Subscribe).request.since
    assert (since.epoch, since.offset) == ("e", 2)
    missed = (Publication(b"3", offset=3, epoch="e"), Publication(b"4", offset=4, epoch="e"))
    result = reply(driver.accept(asked, top=4, recovered=True, publications=missed))["subscribe"]
    assert result == {
        "recoverable": True, "positioned": True, "epoch": "e", "offset": 2, "was_recovering": True, "recovered": True,
        "publications": [{"data": 3, "offset": 3}, {"data": 4, "offset": 4}],
    }  # fmt: skip


def test_who_was_excluded_does_not_recover_what_it_was_not_to_get(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="e", offset=2)
    missed = (
        Publication(b"3", offset=3, epoch="e", exclude_users=("u2", "u1")),
        Publication(b"4", offset=4, epoch="e", exclude_users=("u2",)),
        Publication(b"5", offset=5, epoch="e", exclude_clients=("c1",)),
    )
    result = reply(driver.accept(asked, top=5, recovered=True, publications=missed))["subscribe"]
    assert (result["recovered"], result["publications"]) == (True, [{"data": 4, "offset": 4}])


def test_who_was_excluded_from_everything_is_at_the_top(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="e", offset=2)
    missed = (Publication(b"3", offset=3, epoch="e", exclude_users=("u1",)),)
    result = reply(driver.accept(asked, top=3, recovered=True, publications=missed))["subscribe"]
    assert (result["recovered"], result["offset"]) == (True, 3)
    assert "publications" not in result


def test_no_patch_starts_from_what_a_subscriber_was_excluded_from(driver: Driver) -> None:
    texts = [json.dumps({"n": n, "same": "x" * 50}).encode() for n in range(3)]
    for excluded, based in ((2, False), (1, True)):
        missed = tuple(
            Publication(text, offset=n, epoch="e", delta=True, exclude_users=("u1",) if n - 3 == excluded else ())
            for n, text in enumerate(texts, start=3)
        )
        channel = f"scores:{excluded}"
        asked = driver.command("subscribe", channel=channel, delta="fossil", recover=True, epoch="e", offset=2)
        done = driver.accept(asked, top=5, recovered=True, publications=missed)
        assert (only(done, act.Attach).recovered is not None) is based
        told = reply(done)["subscribe"]["publications"]
        assert [each.get("delta", False) for each in told] == [False, excluded == 2]


def test_a_failed_recovery_says_so_with_the_current_position(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="old", offset=2)
    result = reply(driver.accept(asked, top=9))["subscribe"]
    assert (result["was_recovering"], result.get("recovered"), result["offset"], result["epoch"]) == (
        True,
        None,
        9,
        "e",
    )


def test_a_client_may_prefer_an_error_to_an_unrecovered_result(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="old", offset=2, flag=2)
    done = driver.accept(asked, top=9)
    assert error_code(done) == 112
    assert only(done, act.Detach).channel == "room:1"
    assert reply(driver.subscribe("room:1"))["subscribe"]


def test_recovery_is_not_asked_where_the_namespace_has_none(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="plain:1", recover=True, epoch="e", offset=2)
    assert only(asked, act.Subscribe).request.since is None
    assert reply(driver.accept(asked))["subscribe"] == {"was_recovering": True}, "SDKs say that it was not recovered"
    asked = driver.command("subscribe", channel="plain:2", recover=True, epoch="e", offset=2, flag=2)
    assert reply(driver.accept(asked))["subscribe"] == {"was_recovering": True}, "112 would come again for ever"


@pytest.mark.parametrize(
    ("channel", "extra", "code"),
    [
        ("nowhere:1", {}, 102),
        ("closed:1", {}, 103),
        ("$room:1", {}, 103),
        ("own:1#u2", {}, 103),
        ("own:1#u2,u3", {}, 103),
        ("x" * 256, {}, 107),
        ("a\x7fb", {}, 107),
        ("room:1", {"type": 1}, 107),
        ("board:1", {}, 107),
        ("board:1", {"type": 4}, 107),
        ("board:1", {"type": 9}, 108),
        ("room:1", {"tf": {"op": "and"}}, 107),
        ("room:1", {"token": "expired"}, 109),
        ("room:1", {"token": "forged"}, 103),
    ],
)
def test_refusals(driver: Driver, channel: str, extra: dict[str, object], code: int) -> None:
    assert error_code(driver.command("subscribe", channel=channel, **extra)) == code
    assert driver.connection.subscriptions == {}


def test_a_user_limited_channel_opens_for_its_users(driver: Driver) -> None:
    assert reply(driver.subscribe("own:1#u1"))["subscribe"] == {}
    assert reply(driver.subscribe("own:1#u2,u1"))["subscribe"] == {}


@pytest.mark.parametrize("body", [{"channel": ""}, {"channel": "a", "delta": "vcdiff"}])
def test_malformed_subscribes_end_the_connection(driver: Driver, body: dict[str, str]) -> None:
    assert close_code(driver.command("subscribe", **body)) == 3501


def test_a_channel_is_held_once(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="a")
    assert error_code(driver.command("subscribe", channel="a")) == 105
    driver.accept(asked)
    assert error_code(driver.command("subscribe", channel="a")) == 105


def test_channels_per_connection_are_limited() -> None:
    driver = Driver(limits=Limits(channels=2))
    driver.connect()
    driver.subscribe("a")
    driver.command("subscribe", channel="b")
    assert error_code(driver.command("subscribe", channel="c")) == 106
    driver.command("unsubscribe", channel="a")
    assert reply(driver.subscribe("c"))["subscribe"] == {}


def test_the_brokers_refusal_reaches_the_client_and_frees_the_channel(driver: Driver) -> None:
    assert error_code(driver.reject(driver.command("subscribe", channel="a"), 111)) == 111
    assert reply(driver.subscribe("a"))["subscribe"] == {}


# Permission callbacks


def test_a_permission_callback_decides(driver: Driver) -> None:
    ask = only(driver.command("subscribe", channel="members:1"), act.AskPermission)
    assert (ask.callback, ask.channel) == ("member", "members:1")
    asked = driver.connection.permission_answered(ask.channel, ask.attempt, True, driver.now)
    assert only(asked, act.Subscribe).request.channel == "members:1"
    assert reply(driver.accept(asked))["subscribe"] == {}


@pytest.mark.parametrize(("verdict", "code"), [(False, 103), (ERROR_INTERNAL, 100)])
def test_a_permission_callback_refuses_or_fails(driver: Driver, verdict: object, code: int) -> None:
    ask = only(driver.command("subscribe", channel="members:1"), act.AskPermission)
    done = driver.connection.permission_answered(ask.channel, ask.attempt, verdict, driver.now)  # type: ignore[arg-type]
    assert error_code(done) == code
    assert driver.connection.subscriptions == {}


def test_a_late_verdict_of_an_earlier_attempt_changes_nothing(driver: Driver) -> None:
    ask = only(driver.command("subscribe", channel="members:1"), act.AskPermission)
    driver.connection.permission_answered(ask.channel, ask.attempt, False, driver.now)
    again = only(driver.command("subscribe", channel="members:1"), act.AskPermission)
    assert driver.connection.permission_answered(ask.channel, ask.attempt, True, driver.now) == []
    assert driver.connection.permission_answered(again.channel, again.attempt, True, driver.now) != []


# Order within a channel


def test_commands_for_a_channel_wait_until_its_subscription_is_decided(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="a")
    assert driver.command("publish", channel="a", data=1) == []
    assert driver.command("unsubscribe", channel="a") == []
    assert driver.command("subscribe", channel="a") == []
    done = driver.accept(asked)
    ids = [message["id"] for message in sent(done)]
    assert ids == [2, 4], "subscribe, unsubscribe; the second subscribe asks the broker"
    kinds = [type(action) for action in done]
    assert kinds == [act.Send, act.Attach, act.Publish, act.Detach, act.Send, act.Subscribe]


def test_a_refused_subscription_releases_what_waited_for_it(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="a")
    driver.command("publish", channel="a", data=1)
    assert [message["error"]["code"] for message in sent(driver.reject(asked, 100))] == [100, 103]


def test_waiting_commands_are_bounded() -> None:
    driver = Driver(limits=Limits(commands_in_flight=2))
    driver.connect()
    driver.command("subscribe", channel="a")
    assert driver.command("presence", channel="a") == []
    assert error_code(driver.command("presence", channel="a")) == 111


# Unsubscribe


def test_unsubscribe_answers_after_the_last_push_and_for_unknown_channels_too(driver: Driver) -> None:
    driver.subscribe("a")
    done = driver.command("unsubscribe", channel="a")
    assert [type(action) for action in done] == [act.Detach, act.Send]
    assert reply(done)["unsubscribe"] == {}
    assert reply(driver.command("unsubscribe", channel="a"))["unsubscribe"] == {}


def test_a_gap_ends_a_subscription_with_a_code_that_brings_the_client_back(driver: Driver) -> None:
    driver.subscribe("room:1")
    done = driver.connection.unsubscribed("room:1", UNSUBSCRIBE_INSUFFICIENT, tell_broker=True)
    assert reply(done) == {"push": {"channel": "room:1", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}}
    assert only(done, act.Detach).tell_broker
    assert driver.connection.unsubscribed("room:1", UNSUBSCRIBE_INSUFFICIENT, tell_broker=True) == []


def test_a_gap_in_a_server_side_subscription_ends_the_connection() -> None:
    driver = Driver(personal=True)
    driver.command("connect", token="good:u1")
    driver.accept(driver.connection.registered(True, driver.now))
    gap = driver.connection.unsubscribed("user:#u1", UNSUBSCRIBE_INSUFFICIENT, tell_broker=True)
    assert close_code(gap) == 3010


def test_the_server_can_take_a_server_side_subscription_away() -> None:
    driver = Driver(personal=True)
    driver.command("connect", token="good:u1")
    driver.accept(driver.connection.registered(True, driver.now))
    done = driver.connection.unsubscribed("user:#u1", UNSUBSCRIBE_SERVER, tell_broker=False)
    assert reply(done)["push"]["unsubscribe"]["code"] == 2000
    assert only(done, act.Detach).tell_broker is False


# Subscription tokens


def grant(driver: Driver, token: str, seconds: float | None = None, **changes: str) -> str:
    expires_at = None if seconds is None else WALL_START + driver.now - 100 + seconds
    fields = {"user": "u1", "channel": "$room:1", **changes}
    info = fields.pop("info", '{"r":1}').encode()
    driver.verifier.subscriptions[token] = SubscriptionGrant(**fields, info=info, expires_at=expires_at)
    return token


def test_a_subscription_token_opens_a_private_channel(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="$room:1", token=grant(driver, "t"))
    assert only(asked, act.Subscribe).request.info.chan_info == b'{"r":1}'


@pytest.mark.parametrize("changes", [{"user": "u2"}, {"channel": "$room:2"}, {"client": "other"}])
def test_a_subscription_token_for_something_else_ends_the_connection(driver: Driver, changes: dict[str, str]) -> None:
    assert close_code(driver.command("subscribe", channel="$room:1", token=grant(driver, "t", **changes))) == 3500
    driver = Driver()
    driver.connect()
    driver.subscribe("$room:1", token=grant(driver, "ok", 60))
    assert close_code(driver.command("sub_refresh", channel="$room:1", token=grant(driver, "t", **changes))) == 3500


def test_a_subscription_token_is_checked_before_the_broker_is_asked(driver: Driver) -> None:
    driver.grants_stand = False
    driver.verifier.subscriptions["t"] = SubscriptionGrant("u1", "$room:1", issued_at=7.0, token_id="j")
    asked = driver.command("subscribe", channel="$room:1", token="t")
    assert asked == [act.RegisterGrant("$room:1", driver.connection.subscriptions["$room:1"].attempt, "j", 7000)]
    refused = driver.check_grants(asked, accepted=False)
    assert error_code(refused) == 103
    assert only(refused, act.ReleaseGrant).channel == "$room:1"
    assert driver.connection.subscriptions == {}
    again = driver.command("subscribe", channel="$room:1", token="t")
    only(driver.check_grants(again), act.Subscribe)
    assert driver.check_grants(asked, accepted=False) == [], "an answer to the earlier attempt"


def test_a_live_subscription_whose_token_is_revoked_ends_for_good(driver: Driver) -> None:
    driver.subscribe("$room:1", token=grant(driver, "t"))
    driver.grants_stand = False
    refreshed = driver.command("sub_refresh", channel="$room:1", token=grant(driver, "t2", 60))
    assert "sub_refresh" in reply(refreshed)
    done = driver.check_grants(refreshed, accepted=False)
    assert reply(done)["push"]["unsubscribe"]["code"] == 2000
    assert only(done, act.Detach).tell_broker


def test_an_expiring_subscription_lives_on_when_refreshed_and_ends_with_2501_when_not() -> None:
    driver = Driver(limits=Limits(ping_s=10_000))
    driver.connect()
    result = reply(driver.subscribe("$room:1", token=grant(driver, "t", 60)))["subscribe"]
    assert (result["expires"], result["ttl"]) == (True, 60)
    driver.pass_time(60)
    token = grant(driver, "t2", 60, info='{"r":2}')
    refreshed = reply(driver.command("sub_refresh", channel="$room:1", token=token))
    assert refreshed["sub_refresh"] == {"expires": True, "ttl": 60}
    assert driver.connection.subscriptions["$room:1"].info.chan_info == b'{"r":2}'
    assert driver.pass_time(84) == []
    assert reply(driver.pass_time(2))["push"]["unsubscribe"]["code"] == 2501
    assert not driver.connection.is_closed()


def test_what_a_subscription_token_opens_must_not_be_over(driver: Driver) -> None:
    assert error_code(driver.command("subscribe", channel="$room:1", token=grant(driver, "t", 0))) == 109
    assert driver.connection.subscriptions == {}
    driver.subscribe("$room:1", token=grant(driver, "ok", 60))
    assert close_code(driver.command("sub_refresh", channel="$room:1", token="t")) == 3006
    driver = Driver(insecure=True)
    driver.connect()
    assert "expires" not in reply(driver.subscribe("$room:1", token=grant(driver, "t", 0)))["subscribe"]
    assert reply(driver.command("sub_refresh", channel="$room:1", token="t"))["sub_refresh"] == {}


def test_a_callback_cannot_open_what_is_over(driver: Driver) -> None:
    asked = only(driver.command("subscribe", channel="members:1"), act.AskPermission)
    over = Granted(expires_at=WALL_START)
    refused = driver.connection.permission_answered("members:1", asked.attempt, over, driver.now)
    assert error_code(refused) == 110
    assert driver.connection.subscriptions == {}


@pytest.mark.parametrize("token", ["", None])
def test_a_subscription_refresh_without_a_token_is_a_bad_request(driver: Driver, token: str | None) -> None:
    driver.subscribe("$room:1", token=grant(driver, "t", 60))
    body = {} if token is None else {"token": token}
    assert error_code(driver.command("sub_refresh", channel="$room:1", **body)) == 107


def test_a_refresh_without_channel_means_the_only_expiring_subscription(driver: Driver) -> None:
    driver.subscribe("$room:1", token=grant(driver, "t", 60))
    assert "sub_refresh" in reply(driver.command("sub_refresh", token=grant(driver, "t2", 60)))
    driver.subscribe("$room:2", token=grant(driver, "t3", 60, channel="$room:2"))
    assert close_code(driver.command("sub_refresh", token="t2")) == 3501


@pytest.mark.parametrize(("token", "code"), [("expired", 3006), ("forged", 3500)])
def test_a_bad_subscription_refresh_ends_the_connection(driver: Driver, token: str, code: int) -> None:
    driver.subscribe("$room:1", token=grant(driver, "t", 60))
    assert close_code(driver.command("sub_refresh", channel="$room:1", token=token)) == code


def test_a_refresh_of_what_is_not_subscribed_is_refused(driver: Driver) -> None:
    assert error_code(driver.command("sub_refresh", channel="a", token="t")) == 103
    assert error_code(driver.command("sub_refresh", channel="a", token="t", type=1)) == 103
    assert error_code(driver.command("sub_refresh", channel="a", token="t", type=3)) == 107


WANTED = {"key": "a", "cmp": "eq", "val": "x"}


def test_deltas_are_agreed_where_the_namespace_allows_their_type(driver: Driver) -> None:
    assert reply(driver.subscribe("scores:1", delta="fossil"))["subscribe"]["delta"] is True
    assert "delta" not in reply(driver.subscribe("scores:2"))["subscribe"]
    assert "delta" not in reply(driver.subscribe("room:1", delta="fossil"))["subscribe"]


def test_recovered_publications_are_a_chain_of_strings_where_deltas_are_agreed(driver: Driver) -> None:
    missed = tuple(
        Publication(b'{"text":"long enough for a patch to be worth its bytes","n":%d}' % n, n, "e", delta=True)
        for n in (3, 4)
    )
    asked = driver.command("subscribe", channel="scores:1", delta="fossil", recover=True, epoch="e", offset=2)
    done = driver.accept(asked, top=4, recovered=True, publications=missed)
    first, second = reply(done)["subscribe"]["publications"]
    assert json.loads(first["data"])["n"] == 3
    assert second["delta"] is True
    assert only(done, act.Attach).recovered.publications == missed
    asked = driver.command("subscribe", channel="scores:2", delta="fossil", recover=True, epoch="e", offset=4)
    assert only(driver.accept(asked, top=4, recovered=True), act.Attach).recovered is None


def test_recovered_publications_pass_the_filter_and_the_position_goes_on_without_them(driver: Driver) -> None:
    missed = (Publication(b"3", 3, "e", tags={"a": "x"}), Publication(b"4", 4, "e", tags={"a": "y"}))
    asked = driver.command("subscribe", channel="scores:1", tf=WANTED, recover=True, epoch="e", offset=2)
    result = reply(driver.accept(asked, top=4, recovered=True, publications=missed))["subscribe"]
    assert (result["recovered"], result["offset"], [pub["offset"] for pub in result["publications"]]) == (True, 2, [3])
    asked = driver.command("subscribe", channel="scores:2", tf=WANTED, recover=True, epoch="e", offset=3)
    result = reply(driver.accept(asked, top=4, recovered=True, publications=missed[1:]))["subscribe"]
    assert (result["recovered"], result["offset"]) == (True, 4)
    assert "publications" not in result


@pytest.mark.parametrize(
    ("channel", "extra"),
    [
        ("room:1", {"tf": WANTED}),
        ("scores:1", {"tf": {"op": "and"}}),
        ("scores:1", {"tf": {"op": "xor", "nodes": [WANTED]}}),
        ("scores:1", {"tf": 5}),
        ("scores:1", {"tf": WANTED, "delta": "fossil"}),
    ],
)
def test_filters_that_are_not_allowed_or_say_nothing_are_bad_requests(
    driver: Driver, channel: str, extra: dict[str, object]
) -> None:
    assert error_code(driver.command("subscribe", channel=channel, **extra)) == 107


def test_filters_in_protobuf() -> None:
    driver = Driver(codec=PROTOBUF)
    driver.connection.receive(frame(client_pb2.Command(id=1, connect={"token": "good:u1"})), driver.now)
    driver.connection.registered(True, driver.now)
    command = client_pb2.Command(id=2, subscribe={"channel": "scores:1", "tf": WANTED})
    only(driver.connection.receive(frame(command), driver.now), act.Subscribe)
    tags = driver.connection.subscriptions["scores:1"].tags
    assert tags is not None
    assert (tags.matches({"a": "x"}), tags.matches({})) == (True, False)
    command = client_pb2.Command(id=3, subscribe={"channel": "scores:2", "tf": {"op": "and"}})
    (refused,) = driver.connection.receive(frame(command), driver.now)
    assert isinstance(refused, act.Send)
    assert client_pb2.Reply.FromString(refused.message[1:]).error.code == 107


def frame(command: client_pb2.Command) -> bytes:
    content = command.SerializeToString()
    return bytes([len(content)]) + content


def test_more_than_one_answer_may_carry_is_not_recovered(driver: Driver) -> None:
    missed = tuple(Publication(b'"%s"' % (b"x" * 2_000_000), offset, "e") for offset in (3, 4, 5))
    asked = driver.command("subscribe", channel="room:1", recover=True, epoch="e", offset=2)
    result = reply(driver.accept(asked, top=5, recovered=True, publications=missed))["subscribe"]
    assert (result["was_recovering"], result.get("recovered"), result["offset"]) == (True, None, 5)
    asked = driver.command("subscribe", channel="room:2", recover=True, epoch="e", offset=2, flag=2)
    assert error_code(driver.accept(asked, top=5, recovered=True, publications=missed)) == 112


def test_zeros_are_left_out_of_everything(driver: Driver) -> None:
    asked = driver.command("subscribe", channel="room:1", recoverable=True)
    (answer, _) = driver.accept(asked, top=0)
    assert isinstance(answer, act.Send)
    for zero in (b"offset", b"version", b"phase", b"type", b"ttl", b"expires", b"recovered", b'"id":0', b"cursor"):
        assert zero not in answer.message


def test_clients_are_asked_to_coalesce_their_publications(driver: Driver) -> None:
    assert reply(driver.subscribe("scores:1"))["subscribe"]["publish_debounce"] == 200


def test_joins_are_pushed_where_asked_for_and_where_forced(driver: Driver) -> None:
    for channel, extra, pushed in (("a", {}, False), ("b", {"join_leave": True}, True), ("room:1", {}, True)):
        driver.subscribe(channel, **extra)
        assert driver.connection.subscriptions[channel].features.pushes_join_leave is pushed
    driver.subscribe("plain:1", join_leave=True)
    assert not driver.connection.subscriptions["plain:1"].features.pushes_join_leave
