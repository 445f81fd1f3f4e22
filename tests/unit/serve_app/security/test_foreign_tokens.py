import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest

from cluster.settings import Settings
from serve_app.security.foreign_tokens import Expectations, ForeignTokens, KeysNotFetched, KeysUnavailable
from serve_app.security.issuer_keys import KeyUnusable, VerifyingKey
from serve_app.security.jwks import ASK_AGAIN_S, Jwks, JwksError
from serve_app.security.tokens import TokenExpired, TokenInvalid
from tests.fixtures.issuer import ED25519, P256, PRIVATE, RSA, SECRET, jwk, jwks, pem, sign

NOW = int(time.time())


def configured(**values: Any) -> ForeignTokens:
    found = ForeignTokens.from_settings(Settings(_env_file=None, environment="test", **values))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_no_issuer_is_the_default() -> None:
    assert ForeignTokens.from_settings(Settings(_env_file=None)) is None  # type: ignore[call-arg]


def test_a_key_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="absent"):
        configured(realtime_token_public_key_file=tmp_path / "absent")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_shared_secret(algorithm: str) -> None:
    tokens = configured(realtime_token_hmac_secret=SECRET, realtime_token_hmac_algorithm=algorithm)
    assert tokens.verify(sign({"sub": "42"}, algorithm, SECRET)) == {"sub": "42"}
    with pytest.raises(TokenInvalid):
        tokens.verify(sign({"sub": "42"}, algorithm, SECRET + "x"))


@pytest.mark.parametrize("algorithm", list(PRIVATE))
def test_public_keys_of_every_kind(algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    path.write_bytes(pem(*dict.fromkeys(PRIVATE.values())))
    rsa = algorithm if algorithm[0] in "RP" else "RS256"
    tokens = configured(realtime_token_public_key_file=path, realtime_token_rsa_algorithm=rsa)
    assert tokens.verify(sign({"sub": "42"}, algorithm)) == {"sub": "42"}


def all_kinds(tmp_path: Path) -> ForeignTokens:
    path = tmp_path / "keys.pem"
    path.write_bytes(pem(RSA, P256, ED25519))
    return configured(realtime_token_hmac_secret=SECRET, realtime_token_public_key_file=path)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES512"])
def test_a_key_is_used_with_its_own_algorithm_only(tmp_path: Path, algorithm: str) -> None:
    key = SECRET if algorithm.startswith("HS") else None
    with pytest.raises(TokenInvalid):
        all_kinds(tmp_path).verify(sign({"sub": "42"}, algorithm, key))


@pytest.mark.parametrize("key", [RSA, P256, ED25519])
def test_a_public_key_is_no_shared_secret(tmp_path: Path, key: Any) -> None:
    """The classical confusion: a token signed by HMAC with the bytes of a key that everybody knows."""
    for secret in (pem(key), pem(key).strip()):
        forged = _hmac_token(secret)
        with pytest.raises(TokenInvalid):
            all_kinds(tmp_path).verify(forged)


def _hmac_token(secret: bytes) -> str:
    import hashlib
    import hmac

    def part(data: bytes) -> bytes:
        return urlsafe_b64encode(data).rstrip(b"=")

    head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(b'{"sub":"42"}')
    return (head + b"." + part(hmac.new(secret, head, hashlib.sha256).digest())).decode()


@pytest.mark.parametrize("header", ["jku", "jwk", "x5u", "x5c", "crit"])
def test_a_token_cannot_bring_its_own_key(header: str) -> None:
    tokens = configured(realtime_token_hmac_secret=SECRET)
    with pytest.raises(TokenInvalid):
        tokens.verify(sign({"sub": "42"}, "HS256", SECRET, **{header: "x"}))


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000, "é", "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9."])
def test_what_is_no_token_is_invalid(tmp_path: Path, token: str) -> None:
    with pytest.raises(TokenInvalid):
        all_kinds(tmp_path).verify(token)


@pytest.mark.parametrize(
    ("claims", "failure"),
    [
        ({"exp": NOW - 60}, TokenExpired),
        ({"nbf": NOW + 86_400}, TokenInvalid),
        ({"iat": NOW + 86_400}, TokenInvalid),
        ({"exp": "soon"}, TokenInvalid),
    ],
)
def test_times_are_looked_at(claims: dict[str, Any], failure: type[Exception]) -> None:
    with pytest.raises(failure):
        configured(realtime_token_hmac_secret=SECRET).verify(sign(claims, "HS256", SECRET))


def test_issuer_and_audience_are_demanded_when_they_are_configured() -> None:
    tokens = configured(
        realtime_token_hmac_secret=SECRET, realtime_token_issuer="https://id.test", realtime_token_audience="chat"
    )
    good = {"iss": "https://id.test", "aud": ["chat", "x"], "sub": "42"}
    assert tokens.verify(sign(good, "HS256", SECRET))["sub"] == "42"
    for bad in ({"iss": "other"}, {"aud": "other"}, {"iss": None}, {"aud": None}):
        claims = {name: value for name, value in {**good, **bad}.items() if value is not None}
        with pytest.raises(TokenInvalid):
            tokens.verify(sign(claims, "HS256", SECRET))


class Published:
    """An issuer's JWKS under a test's control."""

    def __init__(self, *keys: VerifyingKey) -> None:
        self.body, self.requests, self.now, self.fails = jwks(), 0, 1000.0, False
        store = Jwks("https://id.test/keys", rsa_algorithm="RS256", fetch=self._fetch, clock=lambda: self.now)
        self.tokens = ForeignTokens(keys, store, Expectations())

    async def _fetch(self) -> bytes:
        self.requests += 1
        if self.fails:
            raise JwksError("down")
        return self.body

    async def verify(self, token: str) -> dict[str, Any]:
        """As a connection does it: fetch when told to, then try once more."""
        try:
            return self.tokens.verify(token)
        except KeysNotFetched as missing:
            await missing.fetch()
            return self.tokens.verify(token)


async def test_published_keys_are_fetched_when_first_needed_and_kept() -> None:
    issuer = Published()
    issuer.body = jwks(jwk(RSA, "r"), jwk(P256, "e"), {"kty": "oct", "k": "AA", "kid": "s"})
    for algorithm, kid in (("RS256", "r"), ("ES256", "e"), ("RS256", "r")):
        assert (await issuer.verify(sign({"sub": "42"}, algorithm, kid=kid)))["sub"] == "42"
    assert issuer.requests == 1
    with pytest.raises(TokenInvalid):
        await issuer.verify(sign({"sub": "42"}, "RS512", kid="r"))
    with pytest.raises(TokenInvalid):
        await issuer.verify(sign({"sub": "42"}, "ES256", kid="r"))


async def test_a_rotated_key_is_found_and_an_unknown_one_asked_for_rarely() -> None:
    issuer = Published()
    issuer.body = jwks(jwk(RSA, "old"))
    await issuer.verify(sign({}, "RS256", kid="old"))
    issuer.body = jwks(jwk(P256, "new"), jwk(RSA, "old"))
    for _ in range(20):
        with pytest.raises(TokenInvalid):
            await issuer.verify(sign({}, "ES256", kid="new"))
    assert issuer.requests == 1
    issuer.now += ASK_AGAIN_S
    assert await issuer.verify(sign({"sub": "1"}, "ES256", kid="new")) == {"sub": "1"}
    assert issuer.requests == 2


async def test_an_issuer_that_does_not_answer_makes_tokens_unverifiable_not_invalid() -> None:
    issuer = Published()
    issuer.fails = True
    token = sign({"sub": "42"}, "RS256", kid="r")
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await issuer.verify(token)
    assert issuer.requests == 1
    issuer.fails, issuer.body = False, jwks(jwk(RSA, "r"))
    issuer.now += ASK_AGAIN_S
    assert await issuer.verify(token) == {"sub": "42"}


async def test_fixed_keys_work_beside_published_ones() -> None:
    issuer = Published(VerifyingKey.hmac(SECRET, "HS256"))
    assert issuer.tokens.verify(sign({"sub": "42"}, "HS256", SECRET)) == {"sub": "42"}
    with pytest.raises(TokenInvalid):
        issuer.tokens.verify(sign({"sub": "42"}, "HS512", SECRET))
    assert issuer.requests == 0
    with pytest.raises(TokenInvalid):
        issuer.tokens.verify(jwt.encode({"sub": "42"}, "", algorithm="none"))


async def test_fixed_keys_go_on_working_once_the_only_published_key_is_here() -> None:
    issuer = Published(VerifyingKey.hmac(SECRET, "HS256"), VerifyingKey.public(P256.public_key(), "RS256"))
    issuer.body = jwks(jwk(ED25519, "only"))
    assert (await issuer.verify(sign({"sub": "1"}, "EdDSA", kid="only"))) == {"sub": "1"}
    assert issuer.tokens.verify(sign({"sub": "2"}, "EdDSA")) == {"sub": "2"}, "it names no key: the only one"
    assert issuer.tokens.verify(sign({"sub": "3"}, "HS256", SECRET)) == {"sub": "3"}
    assert issuer.tokens.verify(sign({"sub": "4"}, "ES256")) == {"sub": "4"}
    with pytest.raises(TokenInvalid):
        issuer.tokens.verify(sign({"sub": "5"}, "HS256", SECRET, kid="only"))


@pytest.mark.parametrize("algorithm", ["[]", "{}", "5", "null", '["RS256"]'])
def test_an_algorithm_that_is_no_text_is_none(algorithm: str) -> None:
    header = urlsafe_b64encode(b'{"typ":"JWT","alg":%s}' % algorithm.encode()).rstrip(b"=").decode()
    issuer = Published()
    with pytest.raises(TokenInvalid):
        issuer.tokens.verify(f"{header}.e30.AAAA")
    assert issuer.requests == 0
