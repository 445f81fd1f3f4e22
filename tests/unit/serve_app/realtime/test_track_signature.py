"""Signatures over keys: who, where, which, until when."""

import hashlib
import hmac

import pytest

from serve_app.realtime.credentials import CredentialsExpired, CredentialsInvalid
from serve_app.realtime.track_signature import sign, verify

KEYS = ["a", "b"]


def signed(issued_at: int = 100, expires_at: int = 0) -> str:
    return sign(b"s", "u", "c", KEYS, issued_at=issued_at, expires_at=expires_at)


def test_it_is_what_the_protocol_says() -> None:
    keys = hashlib.sha256(b"a\0b").hexdigest()
    expected = hmac.new(b"s", f"100\x00160\x00u\x00c\x00{keys}".encode(), hashlib.sha256).hexdigest()
    assert signed(expires_at=160) == f"100:160:{expected}"


def test_without_an_end_it_holds_for_good() -> None:
    assert verify(b"s", signed(), "u", "c", KEYS, 1e12) is None


def test_it_holds_until_five_seconds_after_its_end() -> None:
    signature = signed(expires_at=160)
    assert verify(b"s", signature, "u", "c", KEYS, 165.0) == 160.0
    with pytest.raises(CredentialsExpired):
        verify(b"s", signature, "u", "c", KEYS, 165.1)


@pytest.mark.parametrize(
    ("secret", "user", "channel", "keys"),
    [
        (b"other", "u", "c", KEYS),
        (b"", "u", "c", KEYS),
        (b"s", "v", "c", KEYS),
        (b"s", "u", "d", KEYS),
        (b"s", "u", "c", ["b", "a"]),
        (b"s", "u", "c", ["a"]),
        (b"s", "u", "c", ["a", "b", "c"]),
    ],
)
def test_it_is_for_nothing_else(secret: bytes, user: str, channel: str, keys: list[str]) -> None:
    with pytest.raises(CredentialsInvalid):
        verify(secret, signed(), user, channel, keys, 100.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: "",
        lambda s: "x",
        lambda s: s.replace("100:", "101:", 1),
        lambda s: s.replace(":160:", ":0:"),
        lambda s: s.replace(":160:", ":999:"),
        lambda s: s.replace(":160:", ":+160:"),
        lambda s: s.replace(":160:", ":\u0661:"),
        lambda s: s + "0",
        lambda s: s[:-1],
        lambda s: s.upper(),
    ],
)
def test_what_was_changed_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(CredentialsInvalid):
        verify(b"s", change(signed(expires_at=160)), "u", "c", KEYS, 100.0)
