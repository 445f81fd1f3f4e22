import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.codes import DISCONNECT_FORCE, DISCONNECT_SHUTDOWN
from actors.protocol.frames import Join, Push, Reply
from actors.protocol.json_codec import JSON
from serve_app.realtime import actions as act
from serve_app.realtime.connection import CallError, Connection, ConnectionState
from serve_app.realtime.core import Address
from serve_app.realtime.credentials import ClaimedSubscription, Credentials, SubscriptionGrant
from serve_app.realtime.encoding import info_message
from serve_app.realtime.environment import Limits
from serve_app.realtime.server_side import ServerSubscription
from tests.fixtures.realtime import WALL_START, Driver, close_code, error_code, only, reply, sent

# Connect


def test_connect_is_answered_only_after_the_session_is_registered() -> None:
    driver = Driver()
    actions = driver.command("connect", token="good:u1", name="js", version="1")
    assert only(actions, act.Register).issued_at_ms == 5000
    assert sent(actions) == []
    answered = driver.connection.registered(True, driver.now)
    assert reply(answered) == {
        "id": 1,
        "connect": {"client": "c1", "version": "test", "ping": 25, "pong": True},
    }
    assert isinstance(answered[-1], act.Established)
    assert (driver.connection.user, driver.connection.session, driver.connection.name) == ("u1", "s1", "js")


def test_a_revoked_session_is_closed_for_good() -> None:
    driver = Driver()
    driver.command("connect", token="good:u1")
    assert close_code(driver.connection.registered(False, driver.now)) == 3503
    assert driver.connection.registered(True, driver.now) == []


@pytest.mark.parametrize("field", ["name", "version"])
def test_an_sdk_has_a_short_name_and_version(field: str) -> None:
    only(Driver().command("connect", token="good:u1", **{field: "x" * 64}), act.Register)
    assert close_code(Driver().command("connect", token="good:u1", **{field: "x" * 65})) == 3501


def test_an_invalid_token_closes_with_3500() -> None:
    assert close_code(Driver().command("connect", token="forged")) == 3500


def test_an_expired_token_is_an_error_and_any_further_command_a_bad_request() -> None:
    driver = Driver()
    assert error_code(driver.command("connect", token="expired")) == 109
    assert driver.connection.state is ConnectionState.REFUSED
    assert close_code(driver.command("connect", token="good:u1")) == 3501


def test_a_session_that_has_ended_is_an_expired_token() -> None:
    driver = Driver()
    driver.verifier.connections["t"] = Credentials(user="u", expires_at=WALL_START)
    assert error_code(driver.command("connect", token="t")) == 109


def test_without_a_token_anonymous_must_be_allowed() -> None:
    assert close_code(Driver().command("connect")) == 3501
    for environment in ({"anonymous": True}, {"insecure": True}):
        driver = Driver(**environment)
        actions = driver.command("connect")
        assert only(actions, act.Register).issued_at_ms == 0, "it can be found, and need not wait for that"
        assert reply(actions)["connect"]["client"] == "c1"
        assert driver.connection.user == ""


@pytest.mark.parametrize(
    "commands",
    [
        [{"id": 1, "subscribe": {"channel": "c"}}],
        [{}],
        [{"id": 1}],
        [{"connect": {"token": "good:u"}}],
        [{"id": 1, "connect": {"token": "good:u"}}, {"id": 2, "connect": {"token": "good:u"}}],
    ],
)
def test_anything_but_one_connect_first_is_a_bad_request(commands: list[dict[str, object]]) -> None:
    assert close_code(Driver().frame(*commands)) == 3501


def test_commands_behind_connect_in_the_same_frame_wait_for_it_in_order() -> None:
    driver = Driver()
    actions = driver.frame(
        {"id": 1, "connect": {"token": "good:u1"}},
        {"id": 2, "subscribe": {"channel": "a"}},
        {"id": 3, "subscribe": {"channel": "b"}},
    )
    assert not [action for action in actions if isinstance(action, act.Subscribe)]
    answered = driver.connection.registered(True, driver.now)
    assert reply(answered)["id"] == 1
    asked = [action.request.channel for action in answered if isinstance(action, act.Subscribe)]
    assert asked == ["a", "b"]


def test_commands_waiting_for_connect_are_bounded() -> None:
    driver = Driver(limits=Limits(commands_in_flight=2))
    driver.command("connect", token="good:u1")
    driver.command("presence", channel="a")
    driver.command("presence", channel="a")
    assert close_code(driver.command("presence", channel="a")) == 3013


def test_a_connection_that_never_connects_is_stale() -> None:
    driver = Driver()
    assert driver.pass_time(9.9) == []
    assert close_code(driver.pass_time(0.2)) == 3502


def test_a_connect_that_the_shards_do_not_answer_is_ended_so_that_the_client_comes_back() -> None:
    driver = Driver()
    driver.command("connect", token="good:u1")
    assert close_code(driver.pass_time(5.0)) == 3004


# Server-side subscriptions


def test_personal_channel_and_claimed_subscriptions_come_with_the_connect_reply() -> None:
    driver = Driver(personal=True)
    driver.verifier.connections["t"] = Credentials(
        user="u1", subs={"plain:news": ClaimedSubscription(b'{"role":"x"}', b'{"hello":1}')}
    )
    driver.command("connect", token="t", subs={"user:#u1": {"recover": True, "epoch": "e", "offset": 3}})
    actions = driver.connection.registered(True, driver.now)
    assert sent(actions) == []
    personal, news = [action.request for action in actions if isinstance(action, act.Subscribe)]
    assert (personal.channel, personal.since.offset, personal.positioned) == ("user:#u1", 3, True)
    assert news.info.chan_info == b'{"role":"x"}'
    answered = driver.accept(actions, top=3, recovered=True)
    subs = sent(answered)[0]["connect"]["subs"]
    assert subs["plain:news"] == {"data": {"hello": 1}}
    assert subs["user:#u1"] == {
        "recoverable": True, "positioned": True, "epoch": "e", "offset": 3, "was_recovering": True, "recovered": True,
    }  # fmt: skip
    kinds = [type(action) for action in answered]
    assert kinds.index(act.Established) > kinds.index(act.Send)
    assert {action.channel for action in answered if isinstance(action, act.Attach)} == {"user:#u1", "plain:news"}


def test_a_server_side_subscription_that_fails_refuses_the_connection() -> None:
    driver = Driver(personal=True)
    driver.command("connect", token="good:u1")
    actions = driver.reject(driver.connection.registered(True, driver.now), 100)
    assert reply(actions)["error"] == {"code": 100, "message": "internal server error", "temporary": True}
    assert driver.connection.state is ConnectionState.REFUSED


def test_a_claimed_channel_without_namespace_refuses_the_connection() -> None:
    driver = Driver()
    driver.verifier.connections["t"] = Credentials(user="u1", subs={"nowhere:x": ClaimedSubscription()})
    assert error_code(driver.command("connect", token="t")) == 102


# Ping and pong


def test_ping_and_pong_keep_a_connection() -> None:
    driver = Driver()
    driver.connect()
    for _ in range(3):
        assert sent(driver.pass_time(25)) == [{}]
        assert driver.frame({}) == []
    assert driver.connection.state is ConnectionState.CONNECTED


def test_without_a_pong_the_connection_ends() -> None:
    driver = Driver()
    driver.connect()
    driver.pass_time(25)
    assert close_code(driver.pass_time(7.9)) is None
    assert close_code(driver.pass_time(0.2)) == 3012


def test_a_pong_that_nobody_asked_for_is_a_bad_request() -> None:
    driver = Driver()
    driver.connect()
    assert close_code(driver.frame({})) == 3501


def test_requests_of_an_emulated_connection_may_bring_a_pong_twice() -> None:
    driver = Driver(address=Address("secret", "node"))
    result = driver.connect()
    assert (result["session"], result["node"]) == ("secret", "node")
    assert driver.frame({}) == []
    assert sent(driver.pass_time(25)) == [{}]
    assert driver.frame({}, {}) == []
    assert not driver.connection.is_closed()
    assert close_code(driver.frame({"id": 99})) == 3501


def test_native_pings_replace_the_protocols() -> None:
    driver = Driver(native_ping=True)
    result = driver.connect()
    assert "ping" not in result
    assert "pong" not in result
    assert [type(action) for action in driver.pass_time(25)] == [act.Ping]
    assert driver.connection.ponged() == []
    assert [type(action) for action in driver.pass_time(25)] == [act.Ping]
    assert close_code(driver.pass_time(8)) == 3012


def test_a_native_pong_is_none_where_pings_are_the_protocols() -> None:
    driver = Driver()
    driver.connect()
    driver.pass_time(25)
    assert driver.connection.ponged() == []
    assert close_code(driver.pass_time(8)) == 3012


def test_a_second_pong_is_a_bad_request() -> None:
    driver = Driver()
    driver.connect()
    driver.pass_time(25)
    assert close_code(driver.frame({}, {})) == 3501


# Refresh and expiry


def expiring(driver: Driver, user: str = "u1", seconds: float = 60) -> str:
    token = f"{user}+{seconds}"
    expires_at = WALL_START + driver.now - 100 + seconds
    driver.verifier.connections[token] = Credentials(user=user, expires_at=expires_at)
    return token


def connected_for(driver: Driver, seconds: float) -> dict[str, object]:
    driver.command("connect", token=expiring(driver, seconds=seconds))
    result: dict[str, object] = reply(driver.connection.registered(True, driver.now))["connect"]
    return result


def test_an_expiring_connection_says_so_and_lives_on_when_refreshed() -> None:
    driver = Driver(limits=Limits(ping_s=1000))
    result = connected_for(driver, 60)
    assert (result["expires"], result["ttl"]) == (True, 60)
    driver.pass_time(60)
    token = expiring(driver, seconds=60)
    assert reply(driver.command("refresh", token=token)) == {"id": 2, "refresh": {"expires": True, "ttl": 60}}
    assert close_code(driver.pass_time(84)) is None
    assert close_code(driver.pass_time(2)) == 3005


def test_a_refresh_to_an_endless_token_ends_the_countdown() -> None:
    driver = Driver(limits=Limits(ping_s=100_000))
    connected_for(driver, 60)
    assert reply(driver.command("refresh", token="good:u1")) == {"id": 2, "refresh": {}}
    assert close_code(driver.pass_time(90_000)) is None


@pytest.mark.parametrize(
    ("token", "code"), [("", 3501), ("expired", 3005), ("forged", 3500), ("good:somebody else", 3500), ("u1+0", 3005)]
)
def test_a_bad_refresh_ends_the_connection(token: str, code: int) -> None:
    driver = Driver()
    connected_for(driver, 60)
    expiring(driver, seconds=0)
    assert close_code(driver.command("refresh", token=token)) == code


def test_insecure_connections_do_not_expire() -> None:
    driver = Driver(insecure=True, limits=Limits(ping_s=100_000))
    assert "expires" not in connected_for(driver, 60)
    assert close_code(driver.pass_time(90_000)) is None


@pytest.mark.parametrize("servers_first", [True, False])
def test_a_subscription_of_the_servers_and_one_of_the_client_may_expire_together(servers_first: bool) -> None:
    driver = Driver(limits=Limits(ping_s=1000))
    driver.connect()
    driver.verifier.subscriptions["t"] = SubscriptionGrant("u1", "$room:1", expires_at=WALL_START + 10)
    for servers in (servers_first, not servers_first):
        if servers:
            driver.accept(driver.connection.subscribe_client(ServerSubscription("a", expires_at=WALL_START + 10)))
        else:
            driver.subscribe("$room:1", token="t")
    done = driver.pass_time(36)
    assert close_code(done) == 3006
    assert sorted(action.channel for action in done if isinstance(action, act.Detach)) == ["$room:1", "a"]


def test_a_connection_whose_deadlines_cannot_be_met_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(limits=Limits(ping_s=1000))
    driver.command("connect", token=expiring(driver, seconds=10))
    driver.connection.registered(True, driver.now)
    driver.subscribe("a")

    def fail(*_arguments: object) -> bool:
        raise RuntimeError

    monkeypatch.setattr(Connection, "_expire", fail)
    done = driver.pass_time(36)
    assert close_code(done) == 3004
    assert only(done, act.Detach).channel == "a"


# Messages and ends


def test_a_message_without_a_handler_closes_with_3508_and_with_one_is_delivered() -> None:
    driver = Driver()
    driver.connect()
    assert close_code(driver.frame({"send": {"data": 1}})) == 3508
    driver = Driver(handles_messages=True)
    driver.connect()
    assert only(driver.frame({"send": {"data": {"a": 1}}}), act.Deliver).data == b'{"a": 1}'


def test_a_message_is_pushed_once_connected() -> None:
    driver = Driver()
    assert driver.connection.message(b"1") == []
    driver.connect()
    assert reply(driver.connection.message(b'{"a":1}')) == {"push": {"message": {"data": {"a": 1}}}}


def test_ending_a_connection_gives_its_subscriptions_up_once() -> None:
    driver = Driver()
    driver.connect()
    driver.subscribe("a")
    driver.command("subscribe", channel="b")
    actions = driver.connection.close(DISCONNECT_SHUTDOWN)
    assert [action.channel for action in actions if isinstance(action, act.Detach)] == ["a", "b"]
    assert close_code(actions) == 3001
    assert driver.connection.close(DISCONNECT_FORCE) == []
    assert driver.connection.transport_closed() == []
    assert driver.connection.receive(b"{}", driver.now) == []
    assert driver.connection.tick(driver.now + 1000) == []
    assert driver.connection.message(b"1") == []
    assert driver.connection.call_answered(1, CallError(100)) == []


def test_a_lost_transport_gives_subscriptions_up_without_a_close() -> None:
    driver = Driver()
    driver.connect()
    driver.subscribe("a")
    assert [type(action) for action in driver.connection.transport_closed()] == [act.Detach]


def test_a_command_without_id_or_body_is_a_bad_request() -> None:
    for command in ({"presence": {"channel": "a"}}, {"id": 5}, {"id": 5, "unknown": {}}):
        driver = Driver()
        driver.connect()
        assert close_code(driver.frame(command)) == 3501


def test_what_follows_a_fatal_command_in_a_frame_is_not_looked_at() -> None:
    driver = Driver()
    driver.connect()
    actions = driver.frame({"id": 9}, {"id": 10, "rpc": {}})
    assert close_code(actions) == 3501
    assert sent(actions) == []


COMMANDS = st.fixed_dictionaries(
    {"id": st.integers(0, 5)},
    optional={
        kind: st.fixed_dictionaries(
            {},
            optional={
                "channel": st.sampled_from(["a", "room:1", "closed:1", "members:1", "own:x#u1", "", "nope:1", "$a"]),
                "token": st.sampled_from(["good:u1", "expired", "x", ""]),
                "data": st.sampled_from([1, {"a": 1}, None]),
                "limit": st.integers(-2, 5),
                "reverse": st.booleans(),
                "recover": st.booleans(),
                "method": st.sampled_from(["", "echo"]),
            },
        )
        for kind in ["connect", "subscribe", "unsubscribe", "publish", "presence", "history", "rpc", "refresh", "send"]
    },
)


@given(st.lists(st.one_of(COMMANDS, st.just("answer"), st.just("time"), st.binary(max_size=20)), max_size=30))
def test_no_sequence_of_commands_and_answers_breaks_the_machine(steps: list[object]) -> None:
    driver = Driver(rpc_methods=("echo",))
    waiting: list[act.Action] = []
    for step in steps:
        if step == "time":
            waiting += driver.pass_time(30)
        elif step == "answer":
            batch, waiting = waiting, []
            for action in batch:
                if isinstance(action, act.Register):
                    waiting += driver.connection.registered(True, driver.now)
                elif isinstance(action, act.Subscribe):
                    waiting += driver.accept([action])
                elif isinstance(action, act.AskPermission):
                    waiting += driver.connection.permission_answered(action.channel, action.attempt, True, driver.now)
                elif isinstance(action, act.Publish | act.History | act.Presence | act.Rpc):
                    waiting += driver.connection.call_answered(action.command, CallError(100))
        elif isinstance(step, bytes):
            waiting += driver.connection.receive(step, driver.now)
        else:
            waiting += driver.connection.receive(json.dumps(step).encode(), driver.now)
    closed = driver.connection.is_closed()
    assert not closed or driver.connection.subscriptions == {}
    assert len(driver.connection.subscriptions) <= driver.env.limits.channels


def test_a_client_that_does_nothing_but_fail_is_sent_away() -> None:
    driver = Driver(limits=Limits(errors_per_minute=3))
    driver.connect()
    for _ in range(3):
        assert close_code(driver.command("publish", channel="closed:x", data=1)) is None
    actions = driver.command("publish", channel="closed:x", data=1)
    assert error_code(actions) == 103
    assert close_code(actions) == 3509
    assert driver.command("publish", channel="closed:x", data=1) == []


def test_errors_are_forgiven_after_a_minute_and_temporary_ones_at_once() -> None:
    driver = Driver(limits=Limits(errors_per_minute=3, ping_s=10_000))
    driver.connect()
    for _ in range(4):
        for _ in range(3):
            assert close_code(driver.command("publish", channel="closed:x", data=1)) is None
        driver.pass_time(60.0)
    for _ in range(10):
        publish = only(driver.command("publish", channel="room:x", data=1), act.Publish)
        answered = driver.connection.call_answered(publish.command, CallError(100))
        assert (error_code(answered), close_code(answered)) == (100, None)


def test_refusing_a_connection_does_not_revive_one_that_was_sent_away() -> None:
    refused = Driver(personal=True, limits=Limits(errors_per_minute=0))
    refused.command("connect", token="good:u")
    actions = refused.reject(refused.connection.registered(True, refused.now), 103)
    assert close_code(actions) == 3509
    assert refused.connection.is_closed()


def test_optimistic_subscriptions_in_the_frame_of_connect_are_answered_after_it_in_order() -> None:
    driver = Driver()
    asked = driver.frame(
        {"id": 1, "connect": {"token": "good:u1"}},
        {"id": 2, "subscribe": {"channel": "room:1"}},
        {"id": 3, "publish": {"channel": "room:1", "data": 1}},
        {"id": 4, "subscribe": {"channel": "nowhere:1"}},
    )
    assert sent(asked) == []
    done = driver.connection.registered(True, driver.now)
    assert [message["id"] for message in sent(done)] == [1, 4]
    assert sent(done)[1]["error"]["code"] == 102
    later = driver.accept(done)
    assert [type(action) for action in later] == [act.Send, act.Attach, act.Publish]


def test_anonymous_people_have_an_empty_name_that_is_there() -> None:
    driver = Driver(anonymous=True)
    driver.command("connect")
    request = only(driver.command("subscribe", channel="open:1"), act.Subscribe).request
    assert JSON.encode(Reply(push=Push(join=Join(info_message(request.info))))).count(b'"user":""') == 1
