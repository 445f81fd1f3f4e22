"""Our own tokens, and those of another issuer where one is configured, as what they grant a connection."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import jwt

from cluster.settings import Settings
from serve_app.realtime import claims
from serve_app.realtime.credentials import (
    Credentials,
    CredentialsExpired,
    CredentialsInvalid,
    CredentialsUnverifiable,
    KeysMissing,
    SubscriptionGrant,
)
from serve_app.security.foreign_tokens import ForeignTokens, KeysNotFetched, KeysUnavailable
from serve_app.security.tokens import (
    CONNECTION_TYPE,
    SUBSCRIPTION_TYPE,
    TokenExpired,
    TokenInvalid,
    TokenVerifier,
)

_OUR_TYPES: Final = (CONNECTION_TYPE, SUBSCRIPTION_TYPE)


class Foreign(Protocol):
    """Verifies another issuer's tokens."""

    def verify(self, token: str) -> dict[str, Any]:
        """The claims. Raises TokenExpired, TokenInvalid, KeysUnavailable or KeysNotFetched."""


class SignedTokens:
    """The verifier of a realtime process.

    A token that says it is ours (by `typ` or by its key) is verified with our keys only; any other one with the keys of
    the configured issuer only. So neither can pass for the other.
    """

    def __init__(self, own: TokenVerifier, foreign: Foreign | None = None, *, user_claim: str = "sub") -> None:
        self._own = own
        self._foreign = foreign
        self._user_claim = user_claim

    @classmethod
    def from_settings(cls, settings: Settings) -> "SignedTokens":
        """With the configured keys. Raises ValueError for keys that are missing or cannot be used."""
        return cls(
            TokenVerifier.from_settings(settings),
            ForeignTokens.from_settings(settings),
            user_claim=settings.realtime_token_user_claim,
        )

    def connection(self, token: str) -> Credentials:
        """Verify a connection token."""
        if self._foreign is None or self._is_ours(token):
            return claims.credentials(_verified(self._own.connection_payload, token), ends_with_token=False)
        payload = _verified(self._foreign.verify, token)
        # `sid` names one of our login sessions; another issuer has none to name.
        payload.pop("sid", None)
        return claims.credentials(payload, user_claim=self._user_claim, ends_with_token=True)

    def subscription(self, token: str) -> SubscriptionGrant:
        """Verify a subscription token."""
        if self._foreign is None or self._is_ours(token):
            return claims.grant(_verified(self._own.subscription_payload, token), ends_with_token=False)
        payload = _verified(self._foreign.verify, token)
        return claims.grant(payload, user_claim=self._user_claim, ends_with_token=True)

    def _is_ours(self, token: str) -> bool:
        try:
            header: Mapping[str, Any] = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, UnicodeError):
            return True
        return header.get("typ") in _OUR_TYPES or self._own.knows(header.get("kid"))


def _verified(verify: Callable[[str], dict[str, Any]], token: str) -> dict[str, Any]:
    try:
        return verify(token)
    except TokenExpired as reason:
        raise CredentialsExpired from reason
    except TokenInvalid as reason:
        raise CredentialsInvalid from reason
    except KeysUnavailable as reason:
        raise CredentialsUnverifiable from reason
    except KeysNotFetched as reason:
        raise KeysMissing(reason.fetch) from reason
