"""What an application signs so that a user may track keys of a shared poll: `iat:exp:hex HMAC-SHA256`.

The keys are part of what is signed, in the order in which the client sends them, and so are user and channel.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from serve_app.realtime.credentials import CredentialsExpired, CredentialsInvalid

GRACE_S: Final = 5.0
"""A signature is accepted this long after its end: it may have been on its way."""

_WRITTEN: Final = re.compile(r"(0|[1-9][0-9]{0,15}):(0|[1-9][0-9]{0,15}):([0-9a-f]{64})", re.ASCII)


def sign(secret: bytes, user: str, channel: str, keys: Sequence[str], *, issued_at: int, expires_at: int = 0) -> str:
    """The signature for these keys. Times are Unix seconds; `expires_at` 0: for good."""
    issued, expires = str(issued_at), str(expires_at)
    return f"{issued}:{expires}:{_mac(secret, issued, expires, user, channel, keys)}"


def verify(secret: bytes, signature: str, user: str, channel: str, keys: Sequence[str], now: float) -> float | None:
    """When it ends, Unix seconds; None: never. Raises CredentialsInvalid or CredentialsExpired."""
    written = _WRITTEN.fullmatch(signature)
    if written is None or not secret:
        raise CredentialsInvalid("malformed signature")
    issued, expires, given = written.groups()
    if not hmac.compare_digest(_mac(secret, issued, expires, user, channel, keys), given):
        raise CredentialsInvalid("wrong signature")
    if expires == "0":
        return None
    if now > int(expires) + GRACE_S:
        raise CredentialsExpired("expired signature")
    return float(expires)


def _mac(secret: bytes, issued: str, expires: str, user: str, channel: str, keys: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(keys).encode()).hexdigest()
    text = "\0".join((issued, expires, user, channel, digest))
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
