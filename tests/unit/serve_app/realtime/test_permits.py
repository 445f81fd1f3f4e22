import pytest

from actors.protocol.channels import parse
from actors.protocol.codes import ERROR_NOT_AVAILABLE, ERROR_PERMISSION_DENIED
from actors.protocol.frames import SubscribeRequest
from actors.protocol.namespaces import Namespace
from serve_app.realtime import permits

LIMITED = {"allow_user_limited_channels": True}
HISTORY = {"history_size": 1, "history_ttl_s": 1}


@pytest.mark.parametrize(
    ("options", "channel", "user", "expected"),
    [
        ({}, "c", "u", ERROR_PERMISSION_DENIED),
        ({"allow_subscribe_for_client": True}, "c", "u", None),
        ({"allow_subscribe_for_client": True}, "c", "", ERROR_PERMISSION_DENIED),
        ({"allow_subscribe_for_anonymous": True}, "c", "", ERROR_PERMISSION_DENIED),
        ({"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}, "c", "", None),
        ({"allow_subscribe_for_anonymous": True}, "c", "u", ERROR_PERMISSION_DENIED),
        ({"allow_subscribe_for_client": True}, "$c", "u", ERROR_PERMISSION_DENIED),
        ({"allow_user_limited_channels": True}, "c#u", "u", None),
        ({"allow_user_limited_channels": True}, "c#u", "v", ERROR_PERMISSION_DENIED),
        ({"allow_user_limited_channels": True}, "c#", "", ERROR_PERMISSION_DENIED),
        ({**LIMITED, "allow_subscribe_for_client": True}, "c#u", "v", ERROR_PERMISSION_DENIED),
        ({"allow_subscribe_for_client": True}, "c#u", "v", None),
        ({"subscribe_permission": "p"}, "c", "u", permits.Ask("p")),
        ({"subscribe_permission": "p", "allow_subscribe_for_client": True}, "c", "u", permits.Ask("p")),
        ({"subscribe_permission": "p"}, "c", "", ERROR_PERMISSION_DENIED),
        ({"subscribe_permission": "p", "allow_subscribe_for_anonymous": True}, "c", "", permits.Ask("p")),
    ],
)  # fmt: skip
def test_who_may_subscribe(options: dict[str, object], channel: str, user: str, expected: object) -> None:
    namespace = Namespace(**options)  # type: ignore[arg-type]
    assert permits.subscribe(namespace, parse(channel), user, has_grant=False, insecure=False) == expected
    assert permits.subscribe(namespace, parse(channel), user, has_grant=True, insecure=False) is None


def test_insecure_mode_allows_all_but_other_peoples_and_private_channels() -> None:
    for channel, allowed in (("c", True), ("$c", False), ("c#other", False)):
        namespace = Namespace(allow_user_limited_channels=True, subscribe_permission="p")
        verdict = permits.subscribe(namespace, parse(channel), "", has_grant=False, insecure=True)
        assert (verdict is None) is allowed
    assert permits.operate("publish", Namespace(), "", subscribed=False, insecure=True) is None
    assert permits.operate("history", Namespace(), "", subscribed=False, insecure=True) is ERROR_NOT_AVAILABLE


@pytest.mark.parametrize(
    ("options", "user", "subscribed", "expected"),
    [
        ({}, "u", True, ERROR_PERMISSION_DENIED),
        ({"allow_publish_for_client": True}, "u", False, None),
        ({"allow_publish_for_client": True}, "", False, ERROR_PERMISSION_DENIED),
        ({"allow_publish_for_client": True, "allow_publish_for_anonymous": True}, "", False, None),
        ({"allow_publish_for_subscriber": True}, "u", False, ERROR_PERMISSION_DENIED),
        ({"allow_publish_for_subscriber": True}, "u", True, None),
        ({"allow_publish_for_subscriber": True}, "", True, ERROR_PERMISSION_DENIED),
    ],
)
def test_who_may_publish(options: dict[str, bool], user: str, subscribed: bool, expected: object) -> None:
    assert permits.operate("publish", Namespace(**options), user, subscribed=subscribed, insecure=False) is expected  # type: ignore[arg-type]


def test_features_that_are_not_offered_are_not_there() -> None:
    bare = Namespace(allow_history_for_client=True, allow_presence_for_client=True)
    assert permits.operate("history", bare, "u", subscribed=True, insecure=False) is ERROR_NOT_AVAILABLE
    assert permits.operate("presence", bare, "u", subscribed=True, insecure=False) is ERROR_NOT_AVAILABLE


ASKED = SubscribeRequest(recoverable=True, positioned=True, join_leave=True)


@pytest.mark.parametrize(
    ("options", "request_", "expected"),
    [
        ({}, ASKED, permits.Features(False, False, False)),
        (HISTORY, ASKED, permits.Features(False, False, False)),
        ({**HISTORY, "allow_recovery": True}, ASKED, permits.Features(True, True, False)),
        ({**HISTORY, "allow_recovery": True}, SubscribeRequest(), permits.Features(False, False, False)),
        ({**HISTORY, "allow_positioning": True}, ASKED, permits.Features(False, True, False)),
        ({**HISTORY, "allow_history_for_subscriber": True}, ASKED, permits.Features(True, True, False)),
        ({**HISTORY, "force_recovery": True}, SubscribeRequest(), permits.Features(True, True, False)),
        ({"join_leave": True}, ASKED, permits.Features(False, False, False)),
        (
            {"join_leave": True, "presence": True, "allow_presence_for_subscriber": True},
            ASKED,
            permits.Features(False, False, True),
        ),
        ({"join_leave": True, "force_push_join_leave": True}, SubscribeRequest(), permits.Features(False, False, True)),
    ],
)
def test_features_are_granted_or_silently_off(
    options: dict[str, object], request_: SubscribeRequest, expected: permits.Features
) -> None:
    assert permits.features(Namespace(**options), request_, "u", insecure=False) == expected  # type: ignore[arg-type]


def test_server_side_subscriptions_get_what_the_namespace_forces() -> None:
    assert permits.server_side_features(Namespace(**HISTORY, force_recovery=True)) == permits.Features(
        True, True, False
    )
    allowed = Namespace(**HISTORY, allow_recovery=True, join_leave=True)
    assert permits.server_side_features(allowed) == permits.Features(False, False, False)


@pytest.mark.parametrize(("channel", "expected"), [("c", None), ("c#other", None), ("$c", ERROR_PERMISSION_DENIED)])
def test_a_capability_opens_all_but_private_channels(channel: str, expected: object) -> None:
    namespace = Namespace(allow_user_limited_channels=True, subscribe_permission="p")
    granted = frozenset({"sub"})
    verdict = permits.subscribe(namespace, parse(channel), "u", has_grant=False, insecure=False, granted=granted)
    assert verdict is expected


@pytest.mark.parametrize(("operation", "capability"), [("publish", "pub"), ("history", "hst"), ("presence", "prs")])
def test_capabilities_and_callbacks_permit_operations(operation: permits.Operation, capability: str) -> None:
    rules = Namespace(presence=True, **HISTORY, **{f"{operation}_permission": "p"})  # type: ignore[arg-type]

    def verdict(namespace: Namespace, granted: str, user: str = "u") -> object:
        return permits.operate(
            operation, namespace, user, subscribed=True, insecure=False, granted=frozenset({granted})
        )

    assert verdict(rules, capability) is None
    assert verdict(rules, "sub") == permits.Ask("p")
    assert verdict(rules, "sub", user="") is ERROR_PERMISSION_DENIED
    if operation != "publish":
        assert verdict(Namespace(), capability) is ERROR_NOT_AVAILABLE


def test_capabilities_bring_the_features_that_go_with_them() -> None:
    rules = Namespace(presence=True, join_leave=True, **HISTORY)  # type: ignore[arg-type]
    request = SubscribeRequest(recoverable=True, positioned=True, join_leave=True)
    assert permits.features(rules, request, "u", insecure=False) == permits.Features(False, False, False)
    granted = frozenset({"hst", "prs"})
    assert permits.features(rules, request, "u", insecure=False, granted=granted) == permits.Features(True, True, True)


SUBSCRIBER = {"presence": True, "allow_presence_for_subscriber": True}


@pytest.mark.parametrize(
    ("options", "channel", "user", "expected"),
    [
        ({}, "c", "u", ERROR_NOT_AVAILABLE),
        ({"presence": True, "allow_subscribe_for_client": True}, "c", "u", ERROR_PERMISSION_DENIED),
        ({"presence": True, "allow_presence_for_client": True}, "c", "u", None),
        ({"presence": True, "allow_presence_for_client": True}, "c", "", ERROR_PERMISSION_DENIED),
        (SUBSCRIBER, "c", "u", ERROR_PERMISSION_DENIED),
        ({**SUBSCRIBER, "allow_subscribe_for_client": True}, "c", "u", None),
        ({**SUBSCRIBER, "allow_subscribe_for_client": True}, "$c", "u", ERROR_PERMISSION_DENIED),
        ({**SUBSCRIBER, "allow_subscribe_for_anonymous": True}, "c", "", ERROR_PERMISSION_DENIED),
        ({**SUBSCRIBER, **LIMITED}, "c#u", "u", None),
        ({**SUBSCRIBER, **LIMITED}, "c#u", "v", ERROR_PERMISSION_DENIED),
        ({**SUBSCRIBER, "subscribe_permission": "p"}, "c", "u", permits.Ask("p")),
        ({**SUBSCRIBER, "subscribe_permission": "p", "presence_permission": "q"}, "c", "u", permits.Ask("q")),
    ],
)
def test_who_may_subscribe_to_presence(options: dict[str, object], channel: str, user: str, expected: object) -> None:
    namespace = Namespace(**options)  # type: ignore[arg-type]
    verdict = permits.watch_presence(namespace, parse(channel), user, has_grant=False, insecure=False)
    assert verdict == expected
    granted = permits.watch_presence(namespace, parse(channel), user, has_grant=True, insecure=False)
    assert granted is (None if namespace.presence else ERROR_NOT_AVAILABLE)
