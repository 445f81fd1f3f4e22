"""Ids of emulated sessions: the only credential of a request that carries such a session's commands.

An id is random, and signed together with the boot id of the process that owns the session, so that every process of
the cluster refuses what was made up without asking anybody.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

RANDOM_BYTES: Final = 16
SIGNATURE_BYTES: Final = 16


class SessionIds:
    """Mints and checks ids. Processes with the same secret accept each other's; without one, only their own."""

    def __init__(self, secret: bytes = b"") -> None:
        self._key = hmac.digest(secret or secrets.token_bytes(32), b"mobula emulated session", hashlib.sha256)

    def mint(self, node: str) -> str:
        """A new id for a session of the process with this boot id."""
        random = secrets.token_bytes(RANDOM_BYTES)
        return base64.urlsafe_b64encode(random + self._signature(node, random)).rstrip(b"=").decode()

    def is_ours(self, node: str, session: str) -> bool:
        """Whether `mint(node)` has returned this id, here or in another process."""
        try:
            raw = base64.b64decode(session + "=" * (-len(session) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return False
        signature = self._signature(node, raw[:RANDOM_BYTES])
        return hmac.compare_digest(raw[RANDOM_BYTES:], signature)

    def _signature(self, node: str, random: bytes) -> bytes:
        message = random + node.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)[:SIGNATURE_BYTES]
