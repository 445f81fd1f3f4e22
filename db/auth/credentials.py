"""Secrets that the database only knows hashed: refresh tokens and API keys. Pure functions."""

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass

SECRET_BYTES = 32
"""256 bits from the system's generator: enough that a plain hash may be stored (ASVS 6.5.2)."""

REFRESH_PREFIX = "mrt_"
API_KEY_PREFIX = "sk_live_"
"""Recognisable by secret scanners."""

_API_KEY = re.compile(r"^sk_live_(?P<public>[A-Za-z0-9]{8})_(?P<secret>[A-Za-z0-9_-]{43})_(?P<check>[0-9a-f]{8})$")
_PUBLIC_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def sha256(value: str) -> bytes:
    """What is stored instead of a secret."""
    return hashlib.sha256(value.encode()).digest()


def new_refresh_token() -> str:
    """The first token of a family."""
    return REFRESH_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def new_nonce() -> bytes:
    """What is stored beside a child, to make it again from its parent."""
    return secrets.token_bytes(SECRET_BYTES)


def child_refresh_token(parent: str, nonce: bytes) -> str:
    """The token that replaces `parent`.

    A second request with the parent within the grace period (another tab, a lost answer) must get the *same* child,
    yet no child may be stored. So the child follows from the parent, which only its holder has, and a stored nonce:
    neither alone gives it.
    """
    digest = hmac.digest(nonce, b"mobula refresh token" + parent.encode(), "sha256")
    return REFRESH_PREFIX + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key in full: `text` is shown once and never stored."""

    text: str
    public_id: str
    secret_sha256: bytes


def new_api_key() -> NewApiKey:
    """`sk_live_<8 public>_<43 secret>_<checksum>`."""
    public = "".join(secrets.choice(_PUBLIC_ALPHABET) for _ in range(8))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    body = f"{API_KEY_PREFIX}{public}_{secret}"
    return NewApiKey(f"{body}_{_checksum(body)}", public, sha256(secret))


def parse_api_key(text: str) -> tuple[str, bytes] | None:
    """Public id and hash of the secret; None for what cannot be a key (so a typing error costs no query)."""
    match = _API_KEY.match(text)
    if match is None or not hmac.compare_digest(_checksum(text.rpartition("_")[0]), match["check"]):
        return None
    return match["public"], sha256(match["secret"])


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
