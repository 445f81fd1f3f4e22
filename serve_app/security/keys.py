"""Ed25519 signing keys: one signs, all verify, the public halves are published as a JWKS."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cluster.logging import get_logger
from cluster.settings import Settings

PEM_END = b"-----END PRIVATE KEY-----"

LOOK_AGAIN_S = 1.0
"""How long a changed key file may go unnoticed: a look at its inode costs two microseconds."""

logger = get_logger(__name__)


def encode_base64url(data: bytes) -> str:
    """Base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_id(public: Ed25519PublicKey) -> str:
    """RFC 7638 thumbprint of the key: the same in every process, and new for every new key."""
    x = encode_base64url(public.public_bytes_raw())
    return encode_base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


@dataclass(frozen=True)
class SigningKeys:
    """The keys of one file. The first signs; the others are the next one, or earlier ones whose tokens still live."""

    signing: Ed25519PrivateKey
    kid: str
    verifying: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, private_keys: Sequence[Ed25519PrivateKey]) -> "SigningKeys":
        """Keys in order. Raises ValueError when there is none."""
        if not private_keys:
            raise ValueError("no Ed25519 private key: run './mobula up' to create one, or set SIGNING_KEY_FILE")
        verifying = {key_id(key.public_key()): key.public_key() for key in private_keys}
        return cls(private_keys[0], key_id(private_keys[0].public_key()), verifying)

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKeys":
        """Read concatenated PKCS #8 blocks. Raises ValueError for anything that is not Ed25519."""
        keys: list[Ed25519PrivateKey] = []
        for block in pem.split(PEM_END)[:-1]:
            key = serialization.load_pem_private_key(block + PEM_END + b"\n", password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ValueError(f"signing keys must be Ed25519, found {type(key).__name__}")  # noqa: TRY004
            keys.append(key)
        return cls.of(keys)

    def current(self, _kid: str = "", /) -> "SigningKeys":
        """Themselves: keys that are in no file do not change."""
        return self

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys (RFC 7517)."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": encode_base64url(public.public_bytes_raw()),
                    "kid": kid,
                    "use": "sig",
                    "alg": "EdDSA",
                }
                for kid, public in self.verifying.items()
            ]
        }


class Keys(Protocol):
    """Where signing keys come from."""

    def current(self, kid: str = "", /) -> SigningKeys:
        """The keys as they are now; `kid` is one that should be among them."""


class KeyFile:
    """The keys of a file that may change while we run. All processes follow it: keys rotate without restarts."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read it. Raises ValueError with the remedy when it is missing or cannot be used."""
        self._path = path
        self._clock = clock
        if not path.exists():
            raise ValueError(f"no signing keys at {path}: run './mobula up' to create them, or set SIGNING_KEY_FILE")
        self._seen = _identity(path)
        self._keys = SigningKeys.from_pem(path.read_bytes())
        self._look_at = clock() + LOOK_AGAIN_S

    @classmethod
    def from_settings(cls, settings: Settings) -> "KeyFile":
        """The configured file. Raises ValueError as the constructor does."""
        return cls(settings.signing_key_path)

    def current(self, kid: str = "", /) -> SigningKeys:
        """The keys of the file, as it was a second ago or later; as it is now when they lack `kid`.

        A file that is gone or cannot be used changes nothing: the log says so.
        """
        if self._clock() >= self._look_at or (kid and kid not in self._keys.verifying):
            self._look()
        return self._keys

    def _look(self) -> None:
        self._look_at = self._clock() + LOOK_AGAIN_S
        seen = _identity(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._keys = SigningKeys.from_pem(self._path.read_bytes())
        except (OSError, ValueError):
            logger.exception("the signing keys cannot be read: those of before go on", file=str(self._path))
            return
        logger.info("signing keys read again", signing=self._keys.kid, verifying=sorted(self._keys.verifying))


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What differs between two states of a file; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
