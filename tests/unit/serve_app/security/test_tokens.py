"""Tokens: what is issued is accepted, by its own kind of verifier and for its own time only."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serve_app.security import tokens
from serve_app.security.keys import KeyFile, SigningKeys, key_id
from serve_app.security.tokens import TokenExpired, TokenInvalid, TokenIssuer, TokenVerifier
from tests.fixtures.signing import pem

KEYS = SigningKeys.of([Ed25519PrivateKey.generate()])
ISSUER = "http://shop.test"


def issuer(keys: SigningKeys = KEYS) -> TokenIssuer:
    return TokenIssuer(keys, issuer=ISSUER, access_ttl_s=600)


def verifier(keys: SigningKeys = KEYS) -> TokenVerifier:
    return TokenVerifier(keys, issuer=ISSUER)


def access(made_by: TokenIssuer | None = None, **changes: Any) -> tuple[str, int]:
    now = int(time.time())
    values: dict[str, Any] = {
        "subject": uuid4(),
        "session_id": uuid4(),
        "username": "ada",
        "roles": frozenset({"customer"}),
        "permissions": frozenset({"orders:place", "orders:read"}),
        "authenticated_at": now,
        "session_expires_at": now + 3600,
    }
    return (made_by or issuer()).access(**(values | changes))


def test_access_tokens_come_back_whole():
    subject, session_id = uuid4(), uuid4()
    token, lives = access(subject=subject, session_id=session_id)
    claims = verifier().verify_access(token)
    assert (claims.subject, claims.session_id, claims.username) == (subject, session_id, "ada")
    assert claims.permissions == {"orders:place", "orders:read"}
    assert lives == 600


@pytest.mark.parametrize(
    ("methods", "amr"),
    [
        (["pwd"], ["pwd"]),
        (["pwd", "otp"], ["pwd", "otp", "mfa"]),
        (["passkey"], ["passkey", "mfa"]),
        (None, ["pwd"]),
    ],
)
def test_tokens_say_how_their_session_was_opened(methods: list[str] | None, amr: list[str]):
    token, _ = access(**({} if methods is None else {"methods": methods}))
    assert jwt.decode(token, options={"verify_signature": False})["amr"] == amr


def test_no_token_outlives_its_session():
    _, lives = access(session_expires_at=int(time.time()) + 30)
    assert 28 <= lives <= 30


def test_expiry_counts_for_remembered_tokens_too():
    remembering = verifier()
    with time_machine.travel(0, tick=False) as clock:
        token, lives = access()
        assert remembering.verify_access(token)
        clock.shift(lives - 1)
        assert remembering.verify_access(token)
        clock.shift(2 + tokens.CLOCK_SKEW_S)
        with pytest.raises(TokenExpired):
            remembering.verify_access(token)


def test_a_remembered_token_is_verified_once(monkeypatch: pytest.MonkeyPatch):
    remembering = verifier()
    token, _ = access()
    first = remembering.verify_access(token)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("verified again")

    monkeypatch.setattr("jwt.decode", refuse)
    assert remembering.verify_access(token) is first


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "VERIFIED_TOKENS", 3)
    remembering = verifier()
    for _ in range(10):
        remembering.verify_access(access()[0])
    assert len(remembering._verified) == 3


def test_the_kinds_do_not_mix():
    connection = issuer().connection(subject="u", session_id="s", info={}, expire_at=None)
    with pytest.raises(TokenInvalid):
        verifier().verify_access(connection)
    with pytest.raises(TokenInvalid):
        verifier().connection_payload(access()[0])


def test_connection_tokens_come_back_whole():
    token = issuer().connection(
        subject="u", session_id="s", info={"name": "ada"}, expire_at=2_000_000_000, subs={"user:#u": {}}
    )
    claims = verifier().connection_payload(token)
    assert (claims["sub"], claims["sid"], claims["expire_at"]) == ("u", "s", 2_000_000_000)
    assert (claims["info"], claims["subs"]) == ({"name": "ada"}, {"user:#u": {}})


def test_a_connection_token_lives_a_minute():
    with time_machine.travel(0, tick=False) as clock:
        token = issuer().connection(subject="u", session_id="s", info={}, expire_at=None)
        assert verifier().connection_payload(token)
        clock.shift(tokens.CONNECTION_TTL_S + tokens.CLOCK_SKEW_S + 1)
        with pytest.raises(TokenExpired):
            verifier().connection_payload(token)


def test_keys_rotate():
    """Old tokens are accepted while the old key is still in the file, and new ones by processes that have the new."""
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    token, _ = access(issuer(SigningKeys.of([old])))
    both = SigningKeys.of([new, old])
    assert verifier(both).verify_access(token)
    with pytest.raises(TokenInvalid):
        verifier(SigningKeys.of([new])).verify_access(token)
    newer, _ = access(issuer(both))
    assert verifier(SigningKeys.of([old, new])).verify_access(newer)


def test_a_process_follows_its_key_file(tmp_path: Path):
    """Whichever of two processes sees the new key first, what it signs is good at the other."""
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = tmp_path / "signing.pem"
    file.write_bytes(pem(old))
    here, there = KeyFile(file, clock=lambda: 0.0), KeyFile(file, clock=lambda: 0.0)
    file.write_bytes(pem(new, old))
    here.current("another")
    token, _ = access(TokenIssuer(here, issuer=ISSUER, access_ttl_s=600))
    assert jwt.get_unverified_header(token)["kid"] == key_id(new.public_key())
    process = TokenVerifier(there, issuer=ISSUER)
    assert process.knows(key_id(new.public_key()))
    assert process.verify_access(token)
    connection = TokenIssuer(here, issuer=ISSUER, access_ttl_s=600).connection(
        subject="u", session_id="s", info={}, expire_at=None
    )
    assert TokenVerifier(there, issuer=ISSUER).connection_payload(connection)["sub"] == "u"


def test_another_issuer_is_refused():
    token, _ = access()
    with pytest.raises(TokenInvalid):
        TokenVerifier(KEYS, issuer="http://other.test").verify_access(token)


def test_claims_are_frozen():
    claims = verifier().verify_access(access()[0])
    assert replace(claims, username="eve").username == "eve"
    with pytest.raises(AttributeError):
        claims.username = "eve"  # type: ignore[misc]


def test_subscription_tokens_open_one_channel():
    token = issuer().subscription(subject="u", channel="$room:1", client="c", info={"a": 1})
    claims = verifier().subscription_payload(token)
    assert (claims["sub"], claims["channel"], claims["client"]) == ("u", "$room:1", "c")
    with pytest.raises(TokenInvalid):
        verifier().connection_payload(token)
