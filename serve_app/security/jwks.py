"""The published keys of another issuer (JWKS, RFC 7517): fetched, kept, and fetched again when they change.

One request is under way at a time, whoever asks. A key id that nobody knows may cause one request every few seconds,
not one per token, so nobody can make us flood the issuer. While the issuer does not answer, the keys we have go on
working for a day; after that tokens cannot be verified, which is not the same as invalid.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
import orjson
import structlog

from serve_app.security.issuer_keys import KeyUnusable, VerifyingKey, read_jwk

FETCH_LIMIT_S: Final = 3.0
"""SDKs give a command 5 s."""

MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 64

FRESH_S: Final = 600.0
"""A key that the issuer withdraws stops working within this time."""

KEPT_S: Final = 86_400.0
"""How long keys outlive an issuer that does not answer."""

ASK_AGAIN_S: Final = 5.0
"""The least time between two requests."""

Fetch = Callable[[], Awaitable[bytes]]

logger = structlog.get_logger(__name__)


class JwksError(Exception):
    """The issuer's answer is of no use."""


class Jwks:
    """The keys of one address."""

    def __init__(self, url: str, *, rsa_algorithm: str, fetch: Fetch | None = None, clock: Callable[[], float]) -> None:
        self._url = url
        self._rsa_algorithm = rsa_algorithm
        self._fetch = fetch or self._get
        self._clock = clock
        self._keys: Mapping[str, VerifyingKey] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.is_current = False
        """The last request was answered: what it did not bring does not exist."""

    def find(self, kid: str) -> VerifyingKey | None:
        """The key, if it is known and not too old. A token without `kid` gets the only key there is."""
        now = self._clock()
        if now - self._fetched_at > KEPT_S:
            return None
        if now - self._fetched_at > FRESH_S and self.may_ask:
            self._begin()
        if not kid:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    @property
    def may_ask(self) -> bool:
        """Whether a request is under way, or may be made."""
        return self._asking is not None or self._clock() - self._asked_at >= ASK_AGAIN_S

    async def refresh(self) -> None:
        """Fetch the keys, or wait for the request that is under way. Never raises."""
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="jwks")
        return self._asking

    async def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            async with asyncio.timeout(FETCH_LIMIT_S):
                keys = self._read(await self._fetch())
        except (JwksError, aiohttp.ClientError, OSError, TimeoutError) as reason:
            self.is_current = False
            logger.warning("keys of the issuer cannot be fetched", url=self._url, reason=repr(reason))
        else:
            if keys.keys() != self._keys.keys():
                logger.info("keys of the issuer", url=self._url, kids=sorted(keys))
            self._keys, self._fetched_at, self.is_current = keys, self._clock(), True
        finally:
            self._asking = None

    async def _get(self) -> bytes:
        # No redirects: they would lead to an address that nobody configured.
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_LIMIT_S)) as session,
            session.get(self._url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise JwksError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise JwksError(f"more than {MAX_BYTES} bytes")
            return bytes(body)

    def _read(self, body: bytes) -> dict[str, VerifyingKey]:
        try:
            jwks: Any = orjson.loads(body)
        except orjson.JSONDecodeError as reason:
            raise JwksError(f"not JSON: {reason}") from None
        entries = jwks.get("keys") if isinstance(jwks, dict) else None
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise JwksError(f"no list 'keys' of at most {MAX_KEYS}")
        found: dict[str, VerifyingKey] = {}
        for entry in entries:
            kid = str(entry.get("kid", "")) if isinstance(entry, dict) else ""
            try:
                if not isinstance(entry, dict):
                    raise KeyUnusable("no object")  # noqa: TRY301 - one way out for every unusable key
                # The first of two keys with one name stays: nothing may take its place.
                found.setdefault(kid, read_jwk(entry, self._rsa_algorithm))
            except KeyUnusable as reason:
                logger.info("a key of the issuer is passed over", url=self._url, kid=kid, reason=str(reason))
        if not found:
            raise JwksError("no key that tokens could be verified with")
        return found


def monotonic_jwks(url: str, *, rsa_algorithm: str) -> Jwks:
    """Keys on the process's own clock."""
    return Jwks(url, rsa_algorithm=rsa_algorithm, clock=time.monotonic)
