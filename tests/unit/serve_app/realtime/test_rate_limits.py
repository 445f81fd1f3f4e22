import pytest

from actors.protocol.namespace import Namespace
from actors.protocol.namespaces import Namespaces
from actors.protocol.rates import OperationRates, RateLimits
from serve_app.realtime import rate_limits
from serve_app.realtime.rate_limits import Buckets, Limiter, UserBuckets
from tests.fixtures.hub import World
from tests.fixtures.realtime import NAMESPACES, Driver, close_code, error_code, reply, sent
from tests.fixtures.waiting import eventually


def limiter(*, connection: OperationRates | None = None, user: OperationRates | None = None) -> Limiter:
    limits = RateLimits(connection=connection or OperationRates(), user=user or OperationRates())
    return Limiter(Namespaces({}, "", limits))


def test_operations_have_buckets_of_their_own() -> None:
    limits, own = limiter(connection=OperationRates(publish="2/s", presence="1/s")), Buckets()
    for kind, expected in (("publish", True), ("publish", True), ("publish", False), ("presence", True),
                           ("presence_stats", False), ("history", True), ("rpc", True)):  # fmt: skip
        assert limits.allows(kind, None, own, None, 100.0) is expected, kind
    assert limits.allows("publish", None, own, None, 100.5)
    assert set(own) == {"publish", "presence"}


def test_all_counts_everything_and_spares_what_must_not_fail() -> None:
    limits, own = limiter(connection=OperationRates(all="2/s")), Buckets()
    assert limits.allows("unsubscribe", None, own, None, 100.0)
    assert limits.allows("rpc", None, own, None, 100.0)
    assert not limits.allows("rpc", None, own, None, 100.0)
    assert limits.allows("refresh", None, own, None, 100.0)
    assert limits.allows("unsubscribe", None, own, None, 100.0)


def test_a_refused_command_is_charged_nowhere() -> None:
    limits = limiter(connection=OperationRates(all="10/s", publish="1/s"))
    own = Buckets()
    assert limits.allows("publish", None, own, None, 100.0)
    before = dict(own)
    assert not limits.allows("publish", None, own, None, 100.0)
    assert own == before


def test_a_namespace_has_rates_for_its_channels() -> None:
    limits, own = limiter(), Buckets()
    slow, other = Namespace(name="slow", publish_rate="1/m"), Namespace(name="other", publish_rate="1/m")
    assert limits.allows("publish", slow, own, None, 100.0)
    assert not limits.allows("publish", slow, own, None, 100.0)
    assert limits.allows("publish", other, own, None, 100.0)
    assert limits.allows("subscribe", slow, own, None, 100.0)


def test_connections_of_a_user_share_buckets() -> None:
    limits, users = limiter(user=OperationRates(rpc="1/s")), UserBuckets()
    assert limits.counts_users
    assert limits.allows("rpc", None, {}, users.of("u1", 100.0), 100.0)
    assert not limits.allows("rpc", None, {}, users.of("u1", 100.0), 100.0)
    assert limits.allows("rpc", None, {}, users.of("u2", 100.0), 100.0)


def test_users_whose_buckets_are_full_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "REMEMBERED_USERS", 2)
    users = UserBuckets()
    users.of("idle", 0.0)["rpc"] = 50.0
    users.of("busy", 0.0)["rpc"] = 500.0
    users.of("new", 100.0)
    assert len(users) == 2
    assert users.of("busy", 100.0) == {"rpc": 500.0}


def test_what_is_spent_elsewhere_is_spent_here_and_may_be_owed() -> None:
    limits, buckets = limiter(user=OperationRates(rpc="2/s")), Buckets()
    limits.charge(buckets, {"rpc": 1, "of another version": 5}, 100.0)
    assert set(buckets) == {"rpc"}
    assert limits.allows("rpc", None, {}, buckets, 100.0)
    assert not limits.allows("rpc", None, {}, buckets, 100.0)
    # Both processes let a full bucket through at the same moment: what was too much is waited for.
    limits.charge(buckets, {"rpc": 2}, 100.0)
    assert not limits.allows("rpc", None, {}, buckets, 101.4)
    assert limits.allows("rpc", None, {}, buckets, 101.5)


def test_what_a_user_spends_is_gathered_for_the_others() -> None:
    limits, users = (
        limiter(user=OperationRates(rpc="1/s", all="9/s"), connection=OperationRates(rpc="9/s")),
        UserBuckets(),
    )
    told: list[int] = []
    users.on_spending = lambda: told.append(1)
    for _ in range(2):
        limits.allows("rpc", None, {}, users.of("u1", 100.0), 100.0, users.spending("u1"))
    assert told == [1], "once for all that gathers"
    assert users.take_spent() == {"u1": {"all": 1, "rpc": 1}}, "the second was refused"
    assert users.take_spent() == {}


def test_full_buckets_are_looked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "REMEMBERED_USERS", 1)
    users = UserBuckets()
    users.of("a", 100.0)["rpc"] = 100.1
    users.of("b", 100.0)["rpc"] = 100.1
    users.of("c", 100.2)
    assert len(users) == 3
    users.of("d", 101.2)
    assert len(users) == 1


async def test_a_rate_of_a_user_holds_for_two_processes_together() -> None:
    one, two = [World(namespaces=NAMESPACES.replace("personal_channel_namespace: user", "") + RATES) for _ in range(2)]
    for world in (one, two):
        world.env.rpc_methods = ("echo",)
    clients = [await world.connected("u1") for world in (one, two)]
    assert (await clients[0].command("rpc", method="echo")).get("error", {}).get("code") != 111
    await eventually(lambda: bool(one.sessions.spent))
    assert one.sessions.spent == [{"u1": {"rpc": 1}}]
    for user, amounts in one.sessions.spent[0].items():
        two.hub.on_spent(user, amounts)
    assert (await clients[1].command("rpc", method="echo"))["error"]["code"] == 111
    assert two.sessions.spent == []
    for world in (one, two):
        await world.hub.stop()


RATES = """
rate_limits:
  connection: {publish: 2/s, message: 1/s}
  user: {rpc: 1/s}
"""


def test_a_client_over_its_rate_is_told_to_try_again_and_may() -> None:
    driver = Driver(text=NAMESPACES + RATES, rpc_methods=("echo",))
    driver.connect()
    assert sent(driver.command("publish", channel="room:1", data=1)) == []
    driver.command("publish", channel="room:1", data=1)
    refused = reply(driver.command("publish", channel="room:1", data=1))
    assert refused["error"] == {"code": 111, "message": "too many requests", "temporary": True}
    driver.pass_time(0.5)
    assert sent(driver.command("publish", channel="room:1", data=1)) == []
    assert sent(driver.command("rpc", method="echo")) == []
    assert error_code(driver.command("rpc", method="echo")) == 111


def test_messages_beyond_their_rate_end_the_connection() -> None:
    driver = Driver(text=NAMESPACES + RATES, handles_messages=True)
    driver.connect()
    assert close_code(driver.frame({"send": {"data": 1}})) is None
    assert close_code(driver.frame({"send": {"data": 1}})) == 3013


def test_a_held_command_is_charged_once() -> None:
    driver = Driver(text=NAMESPACES.replace("  plain:\n", "  plain:\n    subscribe_rate: 1/m\n"))
    driver.connect()
    asked = driver.command("subscribe", channel="plain:1")
    driver.command("unsubscribe", channel="plain:1")
    driver.command("subscribe", channel="plain:1")
    answers = sent(driver.accept(asked))
    assert [next(iter(set(answer) - {"id"})) for answer in answers] == ["subscribe", "unsubscribe", "error"]


def test_where_nobody_has_a_rate_nothing_is_kept() -> None:
    driver = Driver()
    driver.connect()
    driver.subscribe("a")
    assert driver.env.limiter is None
    assert driver.connection._buckets is None
