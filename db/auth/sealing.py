"""Secrets that must be read again: encrypted at rest under ENCRYPTION_KEY, each bound to the row that it belongs to.

A sealed value is `version (1) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag`. The key id says which of the
configured keys opens it, so that keys rotate: put the new one first, let `maintenance.reseal` write everything again,
drop the old one.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cluster.settings import Settings
from db.auth.errors import SealingUnavailable

VERSION: Final = b"\x01"
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
PREFIX_BYTES: Final = len(VERSION) + KEY_ID_BYTES


class Sealer:
    """Seals with the first key, opens with any. Without keys both raise SealingUnavailable."""

    def __init__(self, keys: list[str]) -> None:
        """`keys` are secrets of any form, newest first: cipher key and id are derived from each."""
        self._ciphers = {_derive(key, b"id", KEY_ID_BYTES): AESGCM(_derive(key, b"cipher", 32)) for key in keys}
        self._newest = next(iter(self._ciphers), b"")

    @classmethod
    def from_settings(cls, settings: Settings) -> "Sealer":
        """The configured keys."""
        texts = settings.encryption_key.get_secret_value().split(",")
        return cls([text.strip() for text in texts if text.strip()])

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt. `context` (whose, and what) must be the same when it is opened: a value moved elsewhere is void."""
        cipher = self._cipher(self._newest)
        nonce = os.urandom(NONCE_BYTES)
        return self.prefix + nonce + cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt. Raises SealingUnavailable when its key is not configured, and for what was not sealed so."""
        nonce_end = PREFIX_BYTES + NONCE_BYTES
        if sealed[: len(VERSION)] != VERSION or len(sealed) <= nonce_end:
            raise SealingUnavailable
        cipher = self._cipher(sealed[len(VERSION) : PREFIX_BYTES])
        try:
            return cipher.decrypt(sealed[PREFIX_BYTES:nonce_end], sealed[nonce_end:], context.encode())
        except InvalidTag as error:
            raise SealingUnavailable from error

    @property
    def prefix(self) -> bytes:
        """What a value begins with that the newest key sealed."""
        return VERSION + self._newest

    @property
    def prefixes(self) -> list[bytes]:
        """What the values begin with that can be opened."""
        return [VERSION + key_id for key_id in self._ciphers]

    def _cipher(self, key_id: bytes) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealingUnavailable
        return cipher


def _derive(key: str, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"mobula sealed " + purpose).derive(key.encode())
