import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serve_app.realtime.credentials import CredentialsExpired, CredentialsInvalid, SubscriptionGrant
from serve_app.realtime.tokens import SignedTokens
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
    assert credentials.subs == {"room:1": {"data": 1}, "room:2": {}}


def test_a_subscription_token_says_who_and_where(issuer: TokenIssuer, verifier: SignedTokens) -> None:
    token = issuer.subscription(subject="u1", channel="$room:1", client="c", info={"r": 1})
    assert verifier.subscription(token) == SubscriptionGrant("u1", "$room:1", "c", b'{"r":1}', None)


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
