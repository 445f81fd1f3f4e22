import pytest

from actors.protocol.namespace import Namespace
from actors.protocol.namespaces import Namespaces
from actors.protocol.rates import OperationRates, RateLimits
from serve_app.realtime import rate_limits
from serve_app.realtime.rate_limits import Buckets, Limiter, UserBuckets
from tests.fixtures.realtime import NAMESPACES, Driver, close_code, error_code, reply, sent


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
