"""Signing keys."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from serve_app.security.keys import SigningKeys, key_id
from tests.fixtures.client import build_settings


def pem(*keys: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in keys)


def test_the_first_key_signs_and_all_verify(tmp_path: Path):
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = tmp_path / "signing.pem"
    file.write_bytes(pem(first, second))
    keys = SigningKeys.from_settings(build_settings(signing_key_file=file))
    assert keys.kid == key_id(first.public_key())
    assert [key["kid"] for key in keys.jwks()["keys"]] == [key_id(key.public_key()) for key in (first, second)]
    assert "d" not in keys.jwks()["keys"][0]


def test_a_missing_file_names_the_remedy(tmp_path: Path):
    with pytest.raises(ValueError, match="mobula up"):
        SigningKeys.from_settings(build_settings(mobula_home=tmp_path))


def test_other_keys_are_refused():
    with pytest.raises(ValueError, match="Ed25519"):
        SigningKeys.from_pem(pem(ec.generate_private_key(ec.SECP256R1())))


def test_an_empty_file_is_refused():
    with pytest.raises(ValueError, match="no Ed25519 private key"):
        SigningKeys.from_pem(b"")
