import pytest

from actors.brokers.contract import ClientInfo
from actors.protocol.frames import SubscribeRequest
from actors.protocol.namespaces import Namespace
from serve_app.realtime.permits import Features
from serve_app.realtime.subscription import TTL_MAX_S, Subscription, ttl


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
