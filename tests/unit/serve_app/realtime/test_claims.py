from base64 import b64encode
from typing import Any

import pytest

from serve_app.realtime import claims
from serve_app.realtime.credentials import ClaimedSubscription, CredentialsInvalid

NESTED: Any = []
for _ in range(200):
    NESTED = [NESTED]


def connection(*, ends_with_token: bool = True, **payload: Any) -> Any:
    return claims.credentials(payload, ends_with_token=ends_with_token)


def subscription(*, ends_with_token: bool = True, **payload: Any) -> Any:
    return claims.grant(payload, ends_with_token=ends_with_token)


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_every_claim_of_a_connection_arrives() -> None:
    found = connection(
        sub="42", iat=100, exp=200, jti="t1", sid="s", info={"n": 1}, meta={"role": "x"},
        channels=["news", "chat"],
        subs={"chat": {"info": 1, "b64data": encoded("[2]"), "override": {"presence": {"value": True}}}, "x": None},
        caps=[{"channels": ["a"], "allow": ["pub"]}],
    )  # fmt: skip
    assert (found.user, found.session, found.token_id, found.issued_at) == ("42", "s", "t1", 100)
    assert (found.info, found.meta) == (b'{"n":1}', b'{"role":"x"}')
    assert found.subs == {
        "news": ClaimedSubscription(),
        "chat": ClaimedSubscription(b"1", b"[2]", (("presence", True),)),
        "x": ClaimedSubscription(),
    }
    assert found.capabilities[0].allow == {"pub"}


def test_every_claim_of_a_subscription_arrives() -> None:
    found = subscription(
        sub="42", channel="$c", client="k", b64info=encoded('{"a": 1}'), expire_at=300, exp=200, jti="t2",
        override={"join_leave": {"value": False}}, allow=["pub", "hst"],
    )  # fmt: skip
    assert (found.user, found.channel, found.client, found.info) == ("42", "$c", "k", b'{"a": 1}')
    assert (found.expires_at, found.token_id) == (300, "t2")
    assert (found.overrides, found.allow) == ((("join_leave", False),), {"pub", "hst"})


@pytest.mark.parametrize(
    ("payload", "ends_with_token", "end"),
    [
        ({"exp": 200}, True, 200),
        ({"exp": 200}, False, None),
        ({"exp": 200, "expire_at": 900}, True, 900),
        ({"exp": 200, "expire_at": 0}, True, None),
        ({}, True, None),
    ],
)
def test_how_long_what_a_token_opens_lives(payload: dict[str, int], ends_with_token: bool, end: float | None) -> None:
    assert connection(ends_with_token=ends_with_token, **payload).expires_at == end
    assert subscription(ends_with_token=ends_with_token, channel="c", **payload).expires_at == end


def test_the_user_comes_from_the_configured_claim() -> None:
    found = claims.credentials({"sub": "no", "login": "yes"}, user_claim="login", ends_with_token=True)
    assert found.user == "yes"
    assert connection().user == ""


@pytest.mark.parametrize(
    "payload",
    [
        {"sub": 42}, {"sub": "u" * 256}, {"channel": "c"}, {"iat": "x"}, {"exp": float("nan")}, {"expire_at": True},
        {"expire_at": -1}, {"expire_at": 10**400}, {"iat": 10**30}, {"exp": 1_700_000_000_000}, {"iat": float("inf")},
        {"sub": "a\x00"}, {"sub": "\ud800"}, {"sub": "a\nb"}, {"jti": "\x7f"}, {"jti": "t" * 256}, {"sid": "\u202e"},
        {"info": 2**64}, {"info": ["\udfff"]}, {"info": NESTED}, {"meta": {"a": 10**30}}, {"b64info": encoded("1\x00")},
        {"subs": {"a": {"data": 2**64}}},
        {"jti": 1}, {"b64info": "no base64"}, {"b64info": encoded("no json")}, {"b64info": 1}, {"channels": "x"},
        {"channels": [1]}, {"subs": []}, {"subs": {"a": 1}}, {"subs": {"a": {"override": 1}}}, {"caps": 1},
    ],
)  # fmt: skip
def test_a_malformed_connection_token_is_invalid(payload: dict[str, Any]) -> None:
    with pytest.raises(CredentialsInvalid):
        connection(**payload)


@pytest.mark.parametrize(
    "payload", [{}, {"channel": 1}, {"channel": "c", "client": 1}, {"channel": "c", "allow": 1},
                {"channel": "c\x00"}, {"channel": "c", "client": "k" * 256}, {"channel": "\ud83d"},
                {"channel": "c", "info": "\udc00"}, {"channel": "c", "tags_filter": {"key": "k", "cmp": "?"}},
                {"channel": "c", "override": {"presence": True}}]
)  # fmt: skip
def test_a_malformed_subscription_token_is_invalid(payload: dict[str, Any]) -> None:
    with pytest.raises(CredentialsInvalid):
        subscription(**payload)


def test_text_of_other_scripts_is_text() -> None:
    found = connection(sub="Zoë 李 🦊", jti="x" * 255, info={"name": "李\n"})
    assert (found.user, len(found.token_id)) == ("Zoë 李 🦊", 255)
    assert found.info.decode() == '{"name":"李\\n"}'
