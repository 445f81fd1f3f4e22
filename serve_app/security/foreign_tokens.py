"""Verifies tokens that another issuer signed, with the keys that the settings name."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

from cluster.settings import Settings
from serve_app.security.issuer_keys import PUBLIC_ALGORITHMS, VerifyingKey, read_pem
from serve_app.security.jwks import Jwks, monotonic_jwks
from serve_app.security.tokens import CLOCK_SKEW_S, FORBIDDEN_HEADERS, TokenExpired, TokenInvalid

MAX_TOKEN_LENGTH: Final = 16 * 1024
"""Looked at before anything is decoded."""


class KeysUnavailable(Exception):
    """The issuer's published keys cannot be had now: the token is neither valid nor invalid."""


class KeysNotFetched(Exception):
    """The key may exist and is not here. Await `fetch`, which never raises, then verify again."""

    def __init__(self, fetch: Callable[[], Awaitable[None]]) -> None:
        super().__init__("the issuer's keys are not here")
        self.fetch = fetch


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the claims must say. Empty: anything."""

    issuer: str = ""
    audience: str = ""


class ForeignTokens:
    """Verifier of one issuer's tokens."""

    def __init__(self, keys: Sequence[VerifyingKey], jwks: Jwks | None, expected: Expectations) -> None:
        self._keys = tuple(keys)
        self._jwks = jwks
        self._expected = expected

    @classmethod
    def from_settings(cls, settings: Settings) -> "ForeignTokens | None":
        """The configured issuer, or None. Raises KeyUnusable for a key file that cannot be used."""
        rsa = settings.realtime_token_rsa_algorithm
        keys: list[VerifyingKey] = []
        secret = settings.realtime_token_hmac_secret.get_secret_value()
        if secret:
            keys.append(VerifyingKey.hmac(secret, settings.realtime_token_hmac_algorithm))
        if settings.realtime_token_public_key_file is not None:
            keys += read_pem(settings.realtime_token_public_key_file, rsa)
        url = settings.realtime_token_jwks_url
        jwks = monotonic_jwks(url, rsa_algorithm=rsa) if url else None
        if not keys and jwks is None:
            return None
        return cls(keys, jwks, Expectations(settings.realtime_token_issuer, settings.realtime_token_audience))

    def verify(self, token: str) -> dict[str, Any]:
        """The claims. Raises TokenExpired, TokenInvalid, KeysUnavailable or KeysNotFetched."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenInvalid("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, UnicodeError) as reason:
            raise TokenInvalid("not a token") from reason
        if any(name in header for name in FORBIDDEN_HEADERS):
            raise TokenInvalid("the token names a key of its own")
        failed: Exception = TokenInvalid("no key for this token")
        for key in self._candidates(header):
            try:
                return self._decode(token, key)
            except TokenExpired:
                raise
            except TokenInvalid as reason:
                failed = reason
        raise failed

    def _candidates(self, header: dict[str, Any]) -> list[VerifyingKey]:
        """The keys that may have signed it. The header chooses among our keys; each brings its own algorithm."""
        algorithm, kid = header.get("alg"), header.get("kid")
        fixed = [key for key in self._keys if key.algorithm == algorithm]
        if self._jwks is not None:
            published = self._jwks.find(kid if isinstance(kid, str) else "")
            if published is not None and published.algorithm == algorithm:
                # A token that names its key has that one and no other.
                return [published] if kid else [published, *fixed]
            if published is not None and kid:
                return []
        is_public = isinstance(algorithm, str) and algorithm in PUBLIC_ALGORITHMS
        if fixed or self._jwks is None or not is_public:
            return fixed
        if self._jwks.may_ask:
            raise KeysNotFetched(self._jwks.refresh)
        if not self._jwks.is_current:
            raise KeysUnavailable("the issuer's keys cannot be fetched")
        return []

    def _decode(self, token: str, key: VerifyingKey) -> dict[str, Any]:
        expected = self._expected
        required = {"aud": expected.audience, "iss": expected.issuer}
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=expected.audience or None,
                issuer=expected.issuer or None,
                leeway=CLOCK_SKEW_S,
                options={
                    "verify_aud": bool(expected.audience),
                    "verify_iss": bool(expected.issuer),
                    "verify_sub": False,
                    "verify_jti": False,
                    "require": [claim for claim, value in required.items() if value],
                },
            )
        except jwt.ExpiredSignatureError as reason:
            raise TokenExpired("the token has expired") from reason
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError) as reason:
            raise TokenInvalid("the token is not valid") from reason
        return payload
