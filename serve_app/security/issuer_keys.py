"""Keys of another issuer, each with the one algorithm that it may be used with.

The algorithm comes from the key, never from the token: so an RSA public key cannot be taken for an HMAC secret, and
`none` is no algorithm at all (RFC 8725).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
PUBLIC_ALGORITHMS: Final = frozenset({*RSA_ALGORITHMS, *CURVES.values(), "EdDSA"})
MIN_RSA_BITS: Final = 2048
PEM_END: Final = b"-----END PUBLIC KEY-----"


class KeyUnusable(ValueError):
    """Not a key that tokens may be verified with."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key and its algorithm."""

    algorithm: str
    key: PublicKey | bytes

    @classmethod
    def hmac(cls, secret: str, algorithm: str) -> "VerifyingKey":
        """A shared secret."""
        return cls(algorithm, secret.encode())

    @classmethod
    def public(cls, key: object, rsa_algorithm: str) -> "VerifyingKey":
        """A public key. An RSA key does not say its algorithm itself. Raises KeyUnusable."""
        match key:
            case Ed25519PublicKey():
                return cls("EdDSA", key)
            case RSAPublicKey():
                if key.key_size < MIN_RSA_BITS:
                    raise KeyUnusable(f"an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} are needed")
                return cls(rsa_algorithm, key)
            case EllipticCurvePublicKey() if key.curve.name in CURVES:
                return cls(CURVES[key.curve.name], key)
            case _:
                raise KeyUnusable(f"{type(key).__name__} cannot verify tokens: RSA, ECDSA (P-256, …) or Ed25519 can")


def read_pem(path: Path, rsa_algorithm: str) -> list[VerifyingKey]:
    """The public keys of a PEM file, one after the other. Raises KeyUnusable, naming the file."""
    try:
        blocks = path.read_bytes().split(PEM_END)[:-1]
        if not blocks:
            raise KeyUnusable("no PEM block 'PUBLIC KEY'")
        loaded = [serialization.load_pem_public_key(block.lstrip() + PEM_END + b"\n") for block in blocks]
        return [VerifyingKey.public(key, rsa_algorithm) for key in loaded]
    except (OSError, ValueError, UnsupportedAlgorithm) as reason:
        raise KeyUnusable(f"{path}: {reason}") from None


def read_jwk(jwk: Mapping[str, Any], rsa_algorithm: str) -> VerifyingKey:
    """One key of a JWKS. Raises KeyUnusable for secrets, encryption keys and algorithms that do not fit the key."""
    if jwk.get("kty") not in ("RSA", "EC", "OKP"):
        raise KeyUnusable(f"kty {jwk.get('kty')!r}: a published key must be RSA, EC or OKP")
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig" or (operations is not None and "verify" not in operations):
        raise KeyUnusable("not a key for signatures")
    try:
        loaded = jwt.PyJWK(dict(jwk), algorithm=_any_algorithm(jwk)).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as reason:
        raise KeyUnusable(str(reason)) from None
    stated = jwk.get("alg")
    rsa = stated if stated in RSA_ALGORITHMS else rsa_algorithm
    found = VerifyingKey.public(loaded, rsa)
    if stated is not None and stated != found.algorithm:
        raise KeyUnusable(f"alg {stated!r} does not fit the key, which is for {found.algorithm}")
    return found


def _any_algorithm(jwk: Mapping[str, Any]) -> str:
    """One that reads keys of this type; which one it may be used with is decided from the key."""
    return {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[jwk["kty"]]
