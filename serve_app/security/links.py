"""What we hand out and want back unchanged: cursors of lists, and download links. Both are HMAC-signed.

A signature is made with a key of its purpose, derived from SECRET_KEY: a cursor can never pass for a link.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import orjson

from cluster.settings import Settings

MIN_SECRET_BYTES = 16
CURSOR_SIGNATURE_BYTES = 12
"""A forged cursor shows no row that the query would not show anyway; this keeps URLs short."""


class LinkInvalid(Exception):
    """Not ours, changed, or for another place."""


class LinkExpired(LinkInvalid):
    """Ours, but its time is over."""


class LinkSigner:
    """Signs and checks."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError("SECRET_KEY is missing or too short: run './mobula up' to generate it, or set it")
        self._cursor_key = hmac.digest(secret, b"mobula cursor", hashlib.sha256)
        self._link_key = hmac.digest(secret, b"mobula link", hashlib.sha256)

    @classmethod
    def from_settings(cls, settings: Settings) -> "LinkSigner":
        """A signer with the configured secret."""
        return cls(settings.secret_key.get_secret_value().encode())

    def sign_cursor(self, scope: str, payload: Mapping[str, Any]) -> str:
        """An opaque cursor. `scope` names the list, with its filters, that it belongs to."""
        body = orjson.dumps(payload)
        signature = self._cursor_signature(scope, body)
        return base64.urlsafe_b64encode(signature + body).rstrip(b"=").decode()

    def read_cursor(self, scope: str, cursor: str) -> dict[str, Any]:
        """The payload of a cursor. Raises LinkInvalid unless we made it for this scope."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise LinkInvalid("not a cursor") from error
        signature, body = raw[:CURSOR_SIGNATURE_BYTES], raw[CURSOR_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._cursor_signature(scope, body)):
            raise LinkInvalid("not a cursor of this list")
        payload: dict[str, Any] = orjson.loads(body)
        return payload

    def sign_link(self, path: str, *, expires_at: int, subject: str = "") -> str:
        """The signature of a link to `path` that works until `expires_at` (Unix seconds), bound to `subject`."""
        message = f"{expires_at}\n{subject}\n{path}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._link_key, message, hashlib.sha256)).rstrip(b"=").decode()

    def verify_link(self, path: str, *, expires_at: int, signature: str, subject: str = "") -> None:
        """Raise LinkInvalid or LinkExpired unless we signed this link and its time is not over."""
        expected = self.sign_link(path, expires_at=expires_at, subject=subject)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise LinkInvalid("the signature does not match")
        if expires_at <= time.time():
            raise LinkExpired("the link has expired")

    def _cursor_signature(self, scope: str, body: bytes) -> bytes:
        message = scope.encode() + b"\n" + body
        return hmac.digest(self._cursor_key, message, hashlib.sha256)[:CURSOR_SIGNATURE_BYTES]
