import pytest

from actors.protocol.codes import ERROR_BAD_REQUEST
from actors.sessions.contract import SessionsUnreachable
from db.errors import DatabaseUnavailable
from serve_app.server_api.methods import METHODS
from serve_app.server_api.registry import FULL_GRANT, Grant, Refused, outcome, within_reach
from serve_app.server_api.schemas import Nothing, OneChannel, Unsubscribe


def grant(*permissions: str, methods: tuple[str, ...] = (), namespaces: tuple[str, ...] = ()) -> Grant:
    return Grant(False, frozenset(permissions), frozenset(methods), frozenset(namespaces))


@pytest.mark.parametrize(
    ("key", "method", "allowed"),
    [
        (FULL_GRANT, "disconnect", True),
        (grant("realtime:publish"), "publish", True),
        (grant("realtime:publish"), "presence", False),
        (grant("realtime:admin"), "presence", True),
        (grant("realtime:admin", methods=("publish",)), "publish", True),
        (grant("realtime:admin", methods=("publish",)), "broadcast", False),
        (grant(methods=("publish",)), "publish", False),
        (grant(), "info", False),
    ],
)
def test_permissions_and_methods_both_have_to_allow(key: Grant, method: str, allowed: bool) -> None:
    assert key.allows(METHODS[method]) is allowed


@pytest.mark.parametrize(
    ("channel", "namespaces", "touches"),
    [
        ("room:1", (), True),
        ("room:1", ("room",), True),
        ("$room:1", ("room",), True),
        ("rooms:1", ("room",), False),
        ("plain", ("room",), False),
        ("plain", ("default",), True),
        ("default:1", ("room",), False),
        ("", ("room",), False),
        ("room:\n", ("room",), False),
    ],
)
def test_a_key_touches_its_namespaces(channel: str, namespaces: tuple[str, ...], touches: bool) -> None:
    assert grant(namespaces=namespaces).touches(channel) is touches


def test_a_key_with_namespaces_does_nothing_to_users_or_to_everything() -> None:
    limited = grant("realtime:admin", namespaces=("room",))
    assert within_reach(limited, METHODS["presence"], OneChannel("room:1"))
    assert not within_reach(limited, METHODS["presence"], OneChannel("plain"))
    assert not within_reach(limited, METHODS["disconnect"], object())
    assert not within_reach(limited, METHODS["unsubscribe"], Unsubscribe("u")), "that would be every channel"
    assert within_reach(limited, METHODS["info"], Nothing())
    assert within_reach(grant("realtime:admin"), METHODS["disconnect"], object())


async def test_errors_are_outcomes() -> None:
    async def ends(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 1

    assert await outcome(ends(None)) == {"result": 1}
    refused = await outcome(ends(Refused(ERROR_BAD_REQUEST)))
    assert refused == {"error": {"code": 107, "message": "bad request"}}
    unreachable = await outcome(ends(SessionsUnreachable("the shard did not answer")))
    assert unreachable == {"error": {"code": 100, "message": "the shard did not answer"}}
    unavailable = await outcome(ends(DatabaseUnavailable()))
    assert unavailable["error"]["code"] == 100
