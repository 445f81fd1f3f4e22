"""Access and connection tokens: short-lived Ed25519 JWTs.

The two kinds differ in `typ` and `aud`, and a verifier of one refuses the other: a connection token that leaks from a
page cannot call REST, and an access token cannot open a socket.
"""

import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from cluster.settings import Settings
from serve_app.security.keys import KeyFile, Keys

ALGORITHM = "EdDSA"
ACCESS_TYPE = "at+jwt"
ACCESS_AUDIENCE = "api"
CONNECTION_TYPE = "connect+jwt"
CONNECTION_AUDIENCE = "realtime"
SUBSCRIPTION_TYPE = "subscribe+jwt"
CONNECTION_TTL_S = 60
"""A browser fetches this token right before it connects; a leaked one is worth a minute."""

CLOCK_SKEW_S = 2
"""Nodes' clocks differ a little: a token issued by one must not be "not yet valid" at another."""

VERIFIED_TOKENS = 4096
"""Verified tokens that a process remembers (about 1 KB each): a signature costs 170 µs to check, a look-up 1 µs."""

VERIFIED_FOR_S = 60
"""A key taken out of the key file stops working within this time, even for remembered tokens."""

FORBIDDEN_HEADERS = ("jku", "jwk", "x5u", "x5c", "crit")
"""Headers by which a token would name its own key, or demand semantics that we do not have."""


class TokenInvalid(Exception):
    """Not a token that we issued for this purpose. Protocol: disconnect 3500."""


class TokenExpired(TokenInvalid):
    """Ours, but its time is over. Protocol: error 109."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Who an access token is for. Times are Unix seconds."""

    subject: UUID
    session_id: UUID
    username: str
    roles: frozenset[str]
    permissions: frozenset[str]
    issued_at: int
    expires_at: int
    authenticated_at: int
    session_expires_at: int
    token_id: str


class TokenIssuer:
    """Signs tokens."""

    def __init__(self, keys: Keys, *, issuer: str, access_ttl_s: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self.access_ttl_s = access_ttl_s

    @classmethod
    def from_settings(cls, settings: Settings, keys: Keys | None = None) -> "TokenIssuer":
        """An issuer with the configured keys and lifetimes."""
        return cls(
            keys or KeyFile.from_settings(settings),
            issuer=settings.public_url,
            access_ttl_s=settings.access_token_expire_minutes * 60,
        )

    def access(
        self,
        *,
        subject: UUID,
        session_id: UUID,
        username: str,
        roles: frozenset[str],
        permissions: frozenset[str],
        authenticated_at: int,
        session_expires_at: int,
        methods: Sequence[str] = ("pwd",),
    ) -> tuple[str, int]:
        """An access token and the seconds that it lives: never beyond its login session.

        `methods`: how the session was opened (`amr`, RFC 8176; ours beside it: `recovery_code` and `passkey`, which is
        two factors by itself).
        """
        now = int(time.time())
        expires_at = min(now + self.access_ttl_s, session_expires_at)
        token = self._sign(
            ACCESS_TYPE,
            {
                "aud": ACCESS_AUDIENCE,
                "sub": str(subject),
                "sid": str(session_id),
                "jti": uuid.uuid4().hex,
                "iat": now,
                "nbf": now,
                "exp": expires_at,
                "scope": " ".join(sorted(permissions)),
                "roles": sorted(roles),
                "username": username,
                "amr": [*methods, "mfa"] if len(methods) > 1 or "passkey" in methods else list(methods),
                "auth_time": authenticated_at,
                "session_exp": session_expires_at,
            },
        )
        return token, expires_at - now

    def connection(
        self,
        *,
        subject: str,
        session_id: str,
        info: Mapping[str, Any],
        expire_at: int | None,
        subs: Mapping[str, Any] | None = None,
        caps: Sequence[Mapping[str, Any]] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> str:
        """A connection token. `subs` are server-side subscriptions: channel → options; `caps` capabilities."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": CONNECTION_AUDIENCE,
            "sub": subject,
            "sid": session_id,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + CONNECTION_TTL_S,
            "info": dict(info),
        }
        if expire_at is not None:
            claims["expire_at"] = expire_at
        if subs:
            claims["subs"] = dict(subs)
        if caps:
            claims["caps"] = list(caps)
        if meta is not None:
            claims["meta"] = dict(meta)
        return self._sign(CONNECTION_TYPE, claims)

    def subscription(
        self,
        *,
        subject: str,
        channel: str,
        client: str = "",
        info: Any = None,
        expire_at: int | None = None,
        override: Mapping[str, bool] | None = None,
        allow: Sequence[str] = (),
        tags_filter: Mapping[str, Any] | None = None,
    ) -> str:
        """A subscription token: it alone opens `channel`, private ones too.

        `override` changes rules of the namespace for this subscription (`actors.protocol.overrides`), `allow` lists
        capabilities in the channel, `tags_filter` is all that the subscriber gets (`actors.protocol.tags_filter`).
        """
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": CONNECTION_AUDIENCE,
            "sub": subject,
            "channel": channel,
            "client": client,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + CONNECTION_TTL_S,
            "info": info,
            "expire_at": expire_at,
            "override": {option: {"value": value} for option, value in override.items()} if override else None,
            "allow": list(allow) or None,
            "tags_filter": dict(tags_filter) if tags_filter else None,
        }
        return self._sign(SUBSCRIPTION_TYPE, {name: value for name, value in claims.items() if value is not None})

    def _sign(self, kind: str, claims: dict[str, Any]) -> str:
        keys = self._keys.current()
        return jwt.encode(
            {"iss": self._issuer, **claims},
            keys.signing,
            algorithm=ALGORITHM,
            headers={"kid": keys.kid, "typ": kind},
        )


class TokenVerifier:
    """Checks tokens, and remembers access tokens that it has checked."""

    def __init__(self, keys: Keys, *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._verified: OrderedDict[bytes, tuple[AccessClaims, float]] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: Settings, keys: Keys | None = None) -> "TokenVerifier":
        """A verifier with the configured keys."""
        return cls(keys or KeyFile.from_settings(settings), issuer=settings.public_url)

    def verify_access(self, token: str) -> AccessClaims:
        """The claims of an access token. Raises TokenInvalid or TokenExpired."""
        now = time.time()
        digest = hashlib.blake2b(token.encode(), digest_size=16).digest()
        if (known := self._verified.get(digest)) is not None:
            claims, remembered_until = known
            if claims.expires_at <= now:
                raise TokenExpired("the access token has expired")
            if now < remembered_until:
                return claims
        claims = _access_claims(self._decode(token, ACCESS_TYPE, ACCESS_AUDIENCE))
        self._verified[digest] = (claims, now + VERIFIED_FOR_S)
        self._verified.move_to_end(digest)
        if len(self._verified) > VERIFIED_TOKENS:
            self._verified.popitem(last=False)
        return claims

    def connection_payload(self, token: str) -> dict[str, Any]:
        """All claims of a connection token, as they are written. Raises TokenInvalid or TokenExpired."""
        return self._decode(token, CONNECTION_TYPE, CONNECTION_AUDIENCE)

    def subscription_payload(self, token: str) -> dict[str, Any]:
        """All claims of a subscription token, as they are written. Raises TokenInvalid or TokenExpired."""
        return self._decode(token, SUBSCRIPTION_TYPE, CONNECTION_AUDIENCE)

    def knows(self, kid: object) -> bool:
        """Whether this is the id of one of our keys."""
        return isinstance(kid, str) and kid in self._keys.current(kid).verifying

    def _decode(self, token: str, kind: str, audience: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != kind or any(name in header for name in FORBIDDEN_HEADERS):
                raise TokenInvalid("not a token of this kind")
            kid = str(header.get("kid"))
            public = self._keys.current(kid).verifying.get(kid)
            if public is None:
                raise TokenInvalid("unknown key")
            payload: dict[str, Any] = jwt.decode(
                token,
                public,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=self._issuer,
                leeway=CLOCK_SKEW_S,
                options={"require": ["exp", "iat", "nbf", "sub", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired("the token has expired") from error
        except (jwt.PyJWTError, ValueError, UnicodeError) as error:
            raise TokenInvalid("the token is not valid") from error
        return payload


def _access_claims(payload: Mapping[str, Any]) -> AccessClaims:
    try:
        return AccessClaims(
            subject=UUID(payload["sub"]),
            session_id=UUID(payload["sid"]),
            username=str(payload["username"]),
            roles=frozenset(map(str, payload["roles"])),
            permissions=frozenset(str(payload["scope"]).split()),
            issued_at=int(payload["iat"]),
            expires_at=int(payload["exp"]),
            authenticated_at=int(payload["auth_time"]),
            session_expires_at=int(payload["session_exp"]),
            token_id=str(payload["jti"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TokenInvalid("malformed claims") from error
