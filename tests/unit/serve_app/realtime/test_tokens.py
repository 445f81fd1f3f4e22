import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serve_app.realtime.credentials import (
    ClaimedSubscription,
    CredentialsExpired,
    CredentialsInvalid,
    CredentialsUnverifiable,
    KeysMissing,
)
from serve_app.realtime.tokens import SignedTokens
from serve_app.security.foreign_tokens import KeysNotFetched, KeysUnavailable
from serve_app.security.keys import SigningKeys
from serve_app.security.tokens import TokenIssuer, TokenVerifier


@pytest.fixture(scope="module")
def keys() -> SigningKeys:
    return SigningKeys.of([Ed25519PrivateKey.generate()])


@pytest.fixture(scope="module")
def issuer(keys: SigningKeys) -> TokenIssuer:
    return TokenIssuer(keys, issuer="test", access_ttl_s=60)


@pytest.fixture(scope="module")
def verifier(keys: SigningKeys) -> SignedTokens:
    return SignedTokens(TokenVerifier(keys, issuer="test"))


def test_a_connection_token_says_who_and_until_when(issuer: TokenIssuer, verifier: SignedTokens) -> None:
    end = int(time.time()) + 1000
    token = issuer.connection(
        subject="u1", session_id="s1", info={"name": "ann"}, expire_at=end, subs={"room:1": {"data": 1}, "room:2": None}
    )
    credentials = verifier.connection(token)
    assert (credentials.user, credentials.session, credentials.info) == ("u1", "s1", b'{"name":"ann"}')
    assert credentials.expires_at == end
    assert abs(credentials.issued_at - time.time()) < 5
    assert credentials.subs == {"room:1": ClaimedSubscription(data=b"1"), "room:2": ClaimedSubscription()}
    assert credentials.token_id


def test_a_subscription_token_says_who_and_where(issuer: TokenIssuer, verifier: SignedTokens) -> None:
    token = issuer.subscription(
        subject="u1", channel="$room:1", client="c", info={"r": 1}, override={"presence": False}, allow=["pub"]
    )
    grant = verifier.subscription(token)
    assert (grant.user, grant.channel, grant.client, grant.info) == ("u1", "$room:1", "c", b'{"r":1}')
    assert (grant.expires_at, grant.overrides, grant.allow) == (None, (("presence", False),), {"pub"})


def test_one_kind_of_token_is_not_another(issuer: TokenIssuer, verifier: SignedTokens) -> None:
    connection = issuer.connection(subject="u1", session_id="s1", info={}, expire_at=None)
    subscription = issuer.subscription(subject="u1", channel="c")
    for verify, token in ((verifier.connection, subscription), (verifier.subscription, connection)):
        with pytest.raises(CredentialsInvalid):
            verify(token)
        with pytest.raises(CredentialsInvalid):
            verify("nonsense")


def test_old_tokens_are_expired(issuer: TokenIssuer, verifier: SignedTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.security.tokens.time.time", lambda: 1_000_000.0)
    connection = issuer.connection(subject="u1", session_id="s1", info={}, expire_at=None)
    subscription = issuer.subscription(subject="u1", channel="c")
    monkeypatch.undo()
    with pytest.raises(CredentialsExpired):
        verifier.connection(connection)
    with pytest.raises(CredentialsExpired):
        verifier.subscription(subscription)


class OtherIssuer:
    """Knows its tokens by heart."""

    def __init__(self, **claims: Any) -> None:
        self.claims = claims
        self.asked: list[str] = []
        self.failure: Exception | None = None

    def verify(self, token: str) -> dict[str, Any]:
        self.asked.append(token)
        if self.failure is not None:
            raise self.failure
        return dict(self.claims)


def foreign_token() -> str:
    return jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256")


def test_our_tokens_are_never_shown_to_the_other_issuer_nor_its_to_us(keys: SigningKeys, issuer: TokenIssuer) -> None:
    other = OtherIssuer(login="u2", exp=100, iat=7, sid="theirs", channel="")
    tokens = SignedTokens(TokenVerifier(keys, issuer="test"), other, user_claim="login")
    own = issuer.connection(subject="u1", session_id="s1", info={}, expire_at=None)
    assert tokens.connection(own).user == "u1"
    assert tokens.subscription(issuer.subscription(subject="u1", channel="c")).channel == "c"
    assert other.asked == []
    theirs = tokens.connection(foreign_token())
    assert (theirs.user, theirs.session, theirs.expires_at, theirs.issued_at) == ("u2", "", 100, 7)
    other.claims |= {"channel": "room:1"}
    assert tokens.subscription(foreign_token()).channel == "room:1"
    with pytest.raises(CredentialsInvalid):
        tokens.connection(foreign_token())


def test_a_foreign_token_with_our_key_id_is_ours_to_refuse(keys: SigningKeys) -> None:
    other = OtherIssuer(sub="u2")
    token = jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": keys.kid})
    with pytest.raises(CredentialsInvalid):
        SignedTokens(TokenVerifier(keys, issuer="test"), other).connection(token)
    assert other.asked == []


async def test_keys_that_are_not_here_are_no_verdict(keys: SigningKeys) -> None:
    other = OtherIssuer(sub="u2")
    tokens = SignedTokens(TokenVerifier(keys, issuer="test"), other)
    other.failure = KeysUnavailable()
    with pytest.raises(CredentialsUnverifiable):
        tokens.connection(foreign_token())

    fetched: list[bool] = []

    async def fetch() -> None:
        fetched.append(True)

    other.failure = KeysNotFetched(fetch)
    with pytest.raises(KeysMissing) as missing:
        tokens.subscription(foreign_token())
    await missing.value.fetch()
    assert fetched == [True]
