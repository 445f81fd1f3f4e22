"""Signing keys."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from serve_app.security.keys import LOOK_AGAIN_S, KeyFile, SigningKeys, key_id
from tests.fixtures.client import build_settings
from tests.fixtures.signing import pem


def test_the_first_key_signs_and_all_verify(tmp_path: Path):
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = tmp_path / "signing.pem"
    file.write_bytes(pem(first, second))
    keys = KeyFile.from_settings(build_settings(signing_key_file=file)).current()
    assert keys.kid == key_id(first.public_key())
    assert [key["kid"] for key in keys.jwks()["keys"]] == [key_id(key.public_key()) for key in (first, second)]
    assert "d" not in keys.jwks()["keys"][0]


def test_a_missing_file_names_the_remedy(tmp_path: Path):
    with pytest.raises(ValueError, match="mobula up"):
        KeyFile.from_settings(build_settings(mobula_home=tmp_path))


def test_other_keys_are_refused():
    with pytest.raises(ValueError, match="Ed25519"):
        SigningKeys.from_pem(pem(ec.generate_private_key(ec.SECP256R1())))


def test_an_empty_file_is_refused():
    with pytest.raises(ValueError, match="no Ed25519 private key"):
        SigningKeys.from_pem(b"")


class Rotation:
    """A key file, a process that has read it, and that process's clock."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.path = folder / "signing.pem"
        self.now = 0.0
        self.write(pem(self.old))
        self.keys = KeyFile(self.path, clock=lambda: self.now)

    def write(self, content: bytes) -> None:
        """As editors and copies do: another file takes the place."""
        other = self.path.with_suffix(".new")
        other.write_bytes(content)
        other.replace(self.path)

    def kids(self, *keys: Ed25519PrivateKey) -> list[str]:
        return [key_id(key.public_key()) for key in keys]

    @property
    def known(self) -> list[str]:
        """What the process goes by now."""
        return [key["kid"] for key in self.keys.current().jwks()["keys"]]


def test_a_changed_file_counts_within_a_second(tmp_path: Path):
    rotation = Rotation(tmp_path)
    old, new = rotation.old, rotation.new
    for content in ((old, new), (new, old), (new,)):
        before = rotation.known
        rotation.write(pem(*content))
        rotation.now += LOOK_AGAIN_S - 0.001
        assert rotation.known == before
        rotation.now += 0.001
        assert rotation.known == rotation.kids(*content)
        assert rotation.keys.current().kid == rotation.kids(content[0])[0]


def test_an_unknown_key_is_looked_for_at_once(tmp_path: Path):
    rotation = Rotation(tmp_path)
    rotation.write(pem(rotation.new, rotation.old))
    (kid,) = rotation.kids(rotation.new)
    assert kid not in rotation.keys.current("").verifying
    assert kid in rotation.keys.current(kid).verifying
    assert "unknown" not in rotation.keys.current("unknown").verifying


def test_a_file_is_read_when_it_has_changed_and_not_for_every_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rotation = Rotation(tmp_path)
    reads: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read(path))
    for number in range(100):
        rotation.keys.current(f"stranger {number}")
    assert reads == []
    os.utime(rotation.path, ns=(1, 1))
    rotation.keys.current("stranger")
    assert reads == [rotation.path]


@pytest.mark.parametrize(
    "content",
    [b"", b"half a key", b"-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n", None],
    ids=["empty", "no key", "half a key", "gone"],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_said_once(tmp_path: Path, content: bytes | None):
    rotation = Rotation(tmp_path)
    if content is None:
        rotation.path.unlink()
    else:
        rotation.write(content)
    with capture_logs() as lines:
        for _ in range(5):
            rotation.now += LOOK_AGAIN_S
            assert rotation.known == rotation.kids(rotation.old)
    assert [line["log_level"] for line in lines] == ["error"]
    rotation.write(pem(rotation.old, rotation.new))
    rotation.now += LOOK_AGAIN_S
    assert rotation.known == rotation.kids(rotation.old, rotation.new)
