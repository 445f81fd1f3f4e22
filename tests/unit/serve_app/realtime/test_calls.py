import pytest

from actors.brokers.contract import ClientInfo, HistoryReply, PresenceStats, Publication, StreamPosition
from serve_app.realtime import actions as act
from serve_app.realtime.calls import CallError
from serve_app.realtime.capabilities import parse
from serve_app.realtime.credentials import Credentials
from tests.fixtures.realtime import Driver, close_code, error_code, only, reply


@pytest.fixture
def driver() -> Driver:
    driver = Driver(rpc_methods=("echo",))
    driver.connect()
    return driver


def test_publish(driver: Driver) -> None:
    publish = only(driver.command("publish", channel="room:1", data={"a": 1}), act.Publish)
    assert (publish.channel, publish.data, publish.delta) == ("room:1", b'{"a": 1}', False)
    answer = reply(driver.connection.call_answered(publish.command, StreamPosition("e", 1)))
    assert answer == {"id": publish.command, "publish": {}}


def test_history(driver: Driver) -> None:
    since = {"epoch": "e", "offset": 1}
    history = only(driver.command("history", channel="room:1", limit=5, since=since, reverse=True), act.History)
    assert (history.request.limit, history.request.since, history.request.reverse) == (5, StreamPosition("e", 1), True)
    publication = Publication(b'"x"', offset=1, epoch="e", info=ClientInfo("u", "c", b"1"), tags={"k": "v"}, time_ms=9)
    answer = driver.connection.call_answered(history.command, HistoryReply(StreamPosition("e", 1), [publication]))
    assert reply(answer)["history"] == {
        "publications": [
            {
                "data": "x",
                "offset": 1,
                "epoch": "e",
                "info": {"user": "u", "client": "c", "conn_info": 1},
                "tags": {"k": "v"},
                "time": 9,
            }
        ],
        "epoch": "e",
        "offset": 1,
    }


@pytest.mark.parametrize(("asked", "read"), [(0, 0), (-1, 300), (7, 7), (100_000, 300)])
def test_history_is_bounded(driver: Driver, asked: int, read: int) -> None:
    assert only(driver.command("history", channel="room:1", limit=asked), act.History).request.limit == read


def test_reading_backwards_from_before_the_first_makes_no_sense(driver: Driver) -> None:
    assert error_code(driver.command("history", channel="room:1", since={"epoch": "e"}, reverse=True)) == 107


def test_presence_and_counts(driver: Driver) -> None:
    presence = only(driver.command("presence", channel="room:1"), act.Presence)
    answer = driver.connection.call_answered(presence.command, {"c1": ClientInfo("", "c1")})
    assert reply(answer)["presence"] == {"presence": {"c1": {"user": "", "client": "c1"}}}
    stats = only(driver.command("presence_stats", channel="room:1"), act.PresenceStats)
    answer = driver.connection.call_answered(stats.command, PresenceStats(2, 1))
    assert reply(answer)["presence_stats"] == {"num_clients": 2, "num_users": 1}


def test_rpc(driver: Driver) -> None:
    rpc = only(driver.command("rpc", method="echo", data=[1]), act.Rpc)
    assert (rpc.method, rpc.data) == ("echo", b"[1]")
    assert reply(driver.connection.call_answered(rpc.command, b"[2]"))["rpc"] == {"data": [2]}
    assert error_code(driver.command("rpc", method="other")) == 104
    bare = Driver()
    bare.connect()
    assert error_code(bare.command("rpc", method="echo")) == 108


def test_an_applications_error_reaches_the_client(driver: Driver) -> None:
    rpc = only(driver.command("rpc", method="echo"), act.Rpc)
    answer = reply(driver.connection.call_answered(rpc.command, CallError(400, "no credit")))
    assert answer["error"] == {"code": 400, "message": "no credit"}


def test_a_temporary_error_says_so(driver: Driver) -> None:
    publish = only(driver.command("publish", channel="room:1", data=1), act.Publish)
    answer = reply(driver.connection.call_answered(publish.command, CallError(100)))
    assert answer["error"]["temporary"] is True


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("publish", {"channel": "nowhere:1", "data": 1}, 102),
        ("publish", {"channel": "x" * 300, "data": 1}, 107),
        ("publish", {"channel": "room:1"}, 107),
        ("publish", {"channel": "room:1", "data": 1, "type": 1}, 108),
        ("publish", {"channel": "a", "data": 1}, 103),
        ("publish", {"channel": "closed:1", "data": 1}, 103),
        ("history", {"channel": "plain:1"}, 108),
        ("history", {"channel": "a"}, 103),
        ("presence", {"channel": "plain:1"}, 108),
        ("presence", {"channel": "a"}, 103),
        ("presence_stats", {"channel": "a"}, 103),
        ("ping", {}, 108),
    ],
)
def test_refusals(driver: Driver, kind: str, body: dict[str, object], code: int) -> None:
    assert error_code(driver.command(kind, **body)) == code


def test_subscribers_may_what_others_may_not(driver: Driver) -> None:
    driver.subscribe("a")
    for kind, body in (("publish", {"data": 1}), ("history", {}), ("presence", {}), ("presence_stats", {})):
        assert len(driver.command(kind, channel="a", **body)) == 1


@pytest.mark.parametrize("kind", ["publish", "history", "presence", "presence_stats", "unsubscribe", "sub_refresh"])
def test_a_channel_is_needed(kind: str) -> None:
    driver = Driver()
    driver.connect()
    assert close_code(driver.command(kind, data=1)) == 3501


def test_calls_in_flight_are_bounded_and_freed() -> None:
    driver = Driver()
    driver.connect()
    calls = [only(driver.command("publish", channel="room:1", data=1), act.Publish) for _ in range(512)]
    assert error_code(driver.command("publish", channel="room:1", data=1)) == 111
    driver.connection.call_answered(calls[0].command, StreamPosition("e", 1))
    assert isinstance(driver.command("publish", channel="room:1", data=1)[0], act.Publish)


@pytest.mark.parametrize("channel", ["$clients:guarded:1", "$users:room:1"])
def test_no_capability_reads_presence_as_a_history_or_publishes_into_it(channel: str) -> None:
    driver = Driver()
    caps = parse([{"channels": ["*"], "match": "wildcard", "allow": ["hst", "pub", "prs"]}])
    driver.verifier.connections["t"] = Credentials("u1", capabilities=caps)
    driver.command("connect", token="t")
    driver.connection.registered(True, driver.now)
    assert error_code(driver.command("history", channel=channel, limit=10)) == 108
    assert error_code(driver.command("presence", channel=channel)) == 108
    assert error_code(driver.command("publish", channel=channel, data=1)) == 108
    assert error_code(driver.command("publish", channel=channel, type=1, key="k", data=1)) == 108
