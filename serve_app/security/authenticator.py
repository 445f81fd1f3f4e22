"""From a request's credential to a principal."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from uuid import UUID

from starlette.requests import cookie_parser
from starlette.types import Scope

from db.auth.networks import is_within
from db.auth.permissions import CUSTOMER, ROLES
from db.errors import DomainError
from serve_app.errors import CredentialExpired, CredentialInvalid, RequestForged
from serve_app.middleware.context import AddressFinder, request_headers
from serve_app.security.cookies import access_cookie_name
from serve_app.security.csrf import CSRF_HEADER, is_forged
from serve_app.security.principal import Method, Principal
from serve_app.security.tokens import AccessClaims, TokenExpired, TokenInvalid, TokenVerifier

IDENTIFIED = "mobula.identified"
"""Scope key: the credential was looked at, whatever came of it."""

REFUSAL = "mobula.refusal"
"""Scope key: why the credential was refused."""

RECHECK_S = 1.0
"""A revoked session's access token works for at most this long in a process that did not revoke it itself."""

REMEMBERED_SESSIONS = 10_000
REMEMBERED_KEYS = 1_000

SessionCheck = Callable[[AccessClaims, Method], Awaitable[Principal | None]]
"""The principal of a token; None when its login session has ended or its user has logged out everywhere since."""

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
        self._clock = clock
        self._sessions: OrderedDict[tuple[UUID, str], tuple[float, Principal]] = OrderedDict()
        self._keys: OrderedDict[tuple[str, str], tuple[float, Principal]] = OrderedDict()

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
        now = self._clock()
        known = self._keys.get((key, address))
        if known is not None and now < known[0]:
            return known[1]
        principal = await self._check_key(key, address)
        self._keys[key, address] = (now + RECHECK_S, principal)
        self._keys.move_to_end((key, address))
        if len(self._keys) > REMEMBERED_KEYS:
            self._keys.popitem(last=False)
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
        for known, (_, principal) in list(self._sessions.items()):
            if known[0] == session_id or principal.user_id == user_id:
                del self._sessions[known]
        for key, (_, principal) in list(self._keys.items()):
            if principal.user_id == user_id:
                del self._keys[key]

    async def _of_token(self, token: str, method: Method) -> Principal:
        try:
            claims = self._verifier.verify_access(token)
        except TokenExpired as error:
            raise CredentialExpired from error
        except TokenInvalid as error:
            raise CredentialInvalid from error
        known = (claims.session_id, claims.token_id)
        now = self._clock()
        remembered = self._sessions.get(known)
        if remembered is not None and now < remembered[0]:
            return remembered[1]
        principal = await self._check_session(claims, method)
        if principal is None:
            self._sessions.pop(known, None)
            raise CredentialInvalid("This login session has ended; sign in again.")
        self._sessions[known] = (now + RECHECK_S, principal)
        self._sessions.move_to_end(known)
        if len(self._sessions) > REMEMBERED_SESSIONS:
            self._sessions.popitem(last=False)
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
