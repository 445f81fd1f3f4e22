"""From a request's credential to a principal."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from uuid import UUID

from starlette.requests import cookie_parser
from starlette.types import Scope

from actors.metrics.registry import RATE_LIMITED
from db.auth.errors import ApiKeyInvalid
from db.auth.networks import caller_network, is_within
from db.auth.permissions import CUSTOMER, ROLES
from db.errors import DomainError, Unauthenticated
from serve_app.errors import CredentialExpired, CredentialInvalid, RequestForged, TooManyWrongKeys
from serve_app.middleware.context import AddressFinder, request_headers
from serve_app.security.cookies import access_cookie_name
from serve_app.security.csrf import CSRF_HEADER, is_forged
from serve_app.security.keyed_locks import KeyedLocks
from serve_app.security.principal import Method, Principal
from serve_app.security.quota import LocalQuota, Policy
from serve_app.security.remembered import Remembered
from serve_app.security.tokens import AccessClaims, TokenExpired, TokenInvalid, TokenVerifier

IDENTIFIED = "mobula.identified"
"""Scope key: the credential was looked at, whatever came of it."""

REFUSAL = "mobula.refusal"
"""Scope key: why the credential was refused."""

RECHECK_S = 1.0
"""A revoked session's access token works for at most this long in a process that did not revoke it itself."""

REMEMBERED_SESSIONS = 10_000
REMEMBERED_KEYS = 1_000
REMEMBERED_REFUSALS = 1_000

LONGEST_KEY = 128
"""Bytes; ours are shorter."""

WRONG_KEYS = Policy("wrong_keys", 120)
"""Per address and process: each costs the database a look. Enough for a program that does not notice that its key has
ended and asks every second."""

SessionCheck = Callable[[AccessClaims, Method], Awaitable[Principal | None]]
"""The principal of a token; None when its login session has ended or its user has logged out everywhere since."""

KnownSession = tuple[UUID, str]
"""Login session, token."""

KnownKey = tuple[str, str]
"""Key, caller's address."""

KeyCheck = Callable[[str, str], Awaitable[Principal]]
"""(key, caller's address) → its principal. Raises a DomainError."""


class Authenticator:
    """Identifies callers: bearer token, cookie, or API key, in that order of preference."""

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        check_session: SessionCheck,
        check_key: KeyCheck,
        addresses: AddressFinder,
        allowed_origins: frozenset[str],
        secure_cookies: bool,
        operator_networks: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._check_session = check_session
        self._check_key = check_key
        self._addresses = addresses
        self._allowed_origins = allowed_origins
        self._cookie = access_cookie_name(secure=secure_cookies)
        self._operator_networks = [ip_network(network, strict=False) for network in operator_networks]
        self._sessions: Remembered[KnownSession, Principal] = Remembered(REMEMBERED_SESSIONS, RECHECK_S, clock)
        self._ended: Remembered[KnownSession, bool] = Remembered(REMEMBERED_REFUSALS, RECHECK_S, clock)
        # Apart, so that wrong keys push no right ones out.
        self._keys: Remembered[KnownKey, Principal] = Remembered(REMEMBERED_KEYS, RECHECK_S, clock)
        self._wrong_keys: Remembered[KnownKey, Unauthenticated] = Remembered(REMEMBERED_REFUSALS, RECHECK_S, clock)
        self._wrong_keys_of = LocalQuota(clock)
        self._turns: KeyedLocks[KnownSession | KnownKey] = KeyedLocks()

    async def identify(self, scope: Scope) -> None:
        """Put `principal` into the scope, or the reason for refusing the credential. Looks once per request."""
        if IDENTIFIED in scope:
            return
        scope[IDENTIFIED] = True
        try:
            principal = await self._identify(scope)
        except DomainError as refusal:
            scope[REFUSAL] = refusal
        else:
            if principal is not None:
                scope["principal"] = self._as_from(principal, scope)

    def _as_from(self, principal: Principal, scope: Scope) -> Principal:
        """What a person may do from where they are: elsewhere than operators should be, no more than any customer."""
        if not self._operator_networks or principal.session_id is None or principal.permissions <= ROLES[CUSTOMER]:
            return principal
        if is_within(self._operator_networks, self._addresses.find(scope)):
            return principal
        return replace(principal, permissions=principal.permissions & ROLES[CUSTOMER])

    async def _identify(self, scope: Scope) -> Principal | None:
        headers = request_headers(scope)
        if (authorization := headers.get(b"authorization")) is not None:
            kind, _, token = authorization.decode("latin-1").partition(" ")
            if kind.lower() != "bearer":
                raise CredentialInvalid("Only the 'Bearer' scheme is understood.")
            return await self._of_token(token.strip(), "bearer")
        if (key := headers.get(b"x-api-key")) is not None:
            return await self.principal_of_key(key.decode("latin-1"), self._addresses.find(scope))
        cookie = read_cookie(headers, self._cookie)
        if cookie is None:
            return None
        try:
            principal = await self._of_token(cookie, "cookie")
        except CredentialInvalid:
            # Nobody chose to send it: a stale cookie must not lock its owner out of the login page.
            return None
        if self.is_forged(scope):
            raise RequestForged
        return principal

    async def principal_of_key(self, key: str, address: str) -> Principal:
        """The principal of an API key. Raises a DomainError when it is not valid, or not from this address."""
        known = (key, address)
        principal = self._keys.find(known)
        if principal is not None:
            return principal
        if len(key) > LONGEST_KEY:
            raise ApiKeyInvalid
        async with self._turns.of(known):
            principal = self._keys.find(known)
            if principal is None:
                if (refusal := self._wrong_keys.find(known)) is not None:
                    raise refusal.with_traceback(None)
                principal = await self._look_up_key(known)
            return principal

    async def _look_up_key(self, known: KnownKey) -> Principal:
        """Ask the database, unless this address has asked for too many keys in vain; one that was good may go on."""
        key, address = known
        caller = caller_network(address)
        is_new = known not in self._keys
        if is_new:
            # Charged before, or many at the same time would all get through.
            decision = self._wrong_keys_of.take(WRONG_KEYS, caller)
            if not decision.allowed:
                RATE_LIMITED.labels(WRONG_KEYS.name).inc()
                raise TooManyWrongKeys(retry_after_s=decision.retry_after_s)
        try:
            principal = await self._check_key(key, address)
        except Unauthenticated as refusal:
            self._keys.forget(known)
            self._wrong_keys.keep(known, refusal)
            raise
        except BaseException:
            if is_new:
                self._wrong_keys_of.give_back(WRONG_KEYS, caller)
            raise
        if is_new:
            self._wrong_keys_of.give_back(WRONG_KEYS, caller)
        self._keys.keep(known, principal)
        return principal

    def is_forged(self, scope: Scope) -> bool:
        """Whether a request that relies on cookies may come from a foreign page."""
        headers = request_headers(scope)
        return is_forged(
            scope["method"],
            csrf_header=headers.get(CSRF_HEADER),
            origin=headers.get(b"origin"),
            fetch_site=headers.get(b"sec-fetch-site"),
            host=headers.get(b"host"),
            allowed_origins=self._allowed_origins,
        )

    def forget(self, *, session_id: UUID | None = None, user_id: UUID | None = None) -> None:
        """A session ended, or all that a user has (sessions and keys): check again at the next request."""
        self._sessions.forget_where(lambda known, whose: known[0] == session_id or whose.user_id == user_id)
        self._keys.forget_where(lambda _, whose: whose.user_id == user_id)

    async def _of_token(self, token: str, method: Method) -> Principal:
        try:
            claims = self._verifier.verify_access(token)
        except TokenExpired as error:
            raise CredentialExpired from error
        except TokenInvalid as error:
            raise CredentialInvalid from error
        known = (claims.session_id, claims.token_id)
        principal = self._sessions.find(known)
        if principal is not None:
            return principal
        async with self._turns.of(known):
            principal = self._sessions.find(known)
            if principal is None and not self._ended.find(known):
                principal = await self._look_up_session(known, claims, method)
        if principal is None:
            raise CredentialInvalid("This login session has ended; sign in again.")
        return principal

    async def _look_up_session(self, known: KnownSession, claims: AccessClaims, method: Method) -> Principal | None:
        principal = await self._check_session(claims, method)
        if principal is None:
            self._sessions.forget(known)
            self._ended.keep(known, True)
        else:
            self._sessions.keep(known, principal)
        return principal


def read_cookie(headers: Mapping[bytes, bytes], name: str) -> str | None:
    """A cookie's value, or None.

    Read as browsers send them, by `;` and `=` alone: `http.cookies` forgets all of them for one that it finds odd,
    and other programs on the host set those.
    """
    raw = headers.get(b"cookie")
    if raw is None or name.encode() not in raw:
        return None
    return cookie_parser(raw.decode("latin-1")).get(name)
