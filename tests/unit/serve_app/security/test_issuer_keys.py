from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from serve_app.security.issuer_keys import KeyUnusable, VerifyingKey, read_jwk, read_pem
from tests.fixtures.issuer import ED25519, P256, P384, P521, RSA, jwk, pem


def test_each_key_has_one_algorithm(tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    path.write_bytes(b"# ours\n" + pem(RSA, P256, P384, P521, ED25519))
    found = [key.algorithm for key in read_pem(path, "RS512")]
    assert found == ["RS512", "ES256", "ES384", "ES512", "EdDSA"]
    assert VerifyingKey.hmac("s", "HS384") == VerifyingKey("HS384", b"s")


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_without_keys_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.pem"
    path.write_bytes(content)
    with pytest.raises(KeyUnusable, match=r"keys\.pem"):
        read_pem(path, "RS256")
    with pytest.raises(KeyUnusable, match="absent"):
        read_pem(tmp_path / "absent", "RS256")


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=1024), "1024 bits"),
        (ec.generate_private_key(ec.SECP256K1()), "cannot verify"),
        (X25519PrivateKey.generate(), "cannot verify"),
    ],
)
def test_weak_keys_and_keys_for_other_things_are_refused(tmp_path: Path, key: Any, what: str) -> None:
    path = tmp_path / "keys.pem"
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(public)
    with pytest.raises(KeyUnusable, match=what):
        read_pem(path, "RS256")


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "PS256"), (P256, "ES256"), (P384, "ES384"), (P521, "ES512"), (ED25519, "EdDSA")]
)
def test_a_published_key_may_state_its_algorithm(key: Any, algorithm: str) -> None:
    assert read_jwk(jwk(key, alg=algorithm, use="sig"), "RS256").algorithm == algorithm
    assert read_jwk(jwk(key, key_ops=["verify"]), "PS256").algorithm == algorithm


@pytest.mark.parametrize(
    "published",
    [
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        jwk(RSA, use="enc"),
        jwk(RSA, key_ops=["encrypt"]),
        jwk(RSA, alg="HS256"),
        jwk(P256, alg="ES384"),
        jwk(ED25519, alg="RS256"),
        jwk(RSA, alg="none"),
    ],
)
def test_secrets_and_mismatches_are_refused(published: dict[str, Any]) -> None:
    with pytest.raises(KeyUnusable):
        read_jwk(published, "RS256")
