"""Ed25519 signing keys: one signs, all verify, the public halves are published as a JWKS."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cluster.settings import Settings

PEM_END = b"-----END PRIVATE KEY-----"


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

    @classmethod
    def from_settings(cls, settings: Settings) -> "SigningKeys":
        """The configured file. Raises ValueError with the remedy when it is missing."""
        path: Path = settings.signing_key_file or settings.mobula_home / "secrets" / "signing.pem"
        if not path.exists():
            raise ValueError(f"no signing keys at {path}: run './mobula up' to create them, or set SIGNING_KEY_FILE")
        return cls.from_pem(path.read_bytes())

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
