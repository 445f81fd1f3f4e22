import errno
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cluster import secrets
from cluster.secrets import Secrets


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_generated_once_and_kept(tmp_path: Path) -> None:
    first = secrets.ensure(tmp_path / "secrets")
    assert secrets.ensure(tmp_path / "secrets") == first
    assert secrets.ensure(tmp_path / "other").secret_key != first.secret_key


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    secrets.ensure(folder)
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}
    (folder / "secret_key").chmod(0o644)
    secrets.ensure(folder)
    assert mode(folder / "secret_key") == 0o600


def test_keys_are_of_the_kind_that_their_users_need(tmp_path: Path) -> None:
    made = secrets.ensure(tmp_path)
    Fernet(made.encryption_key)
    assert isinstance(load_pem_private_key(made.signing_key_file.read_bytes(), None), Ed25519PrivateKey)
    assert made.ray_token_file.read_text().strip() == made.ray_token
    assert len(made.secret_key) >= 32
    assert len(made.demo_password) >= 16


def test_an_empty_file_is_filled_and_a_given_one_kept(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("")
    (tmp_path / "server_api_key").write_text("my own key\n")
    made = secrets.ensure(tmp_path)
    assert made.secret_key
    assert made.server_api_key == "my own key"


def test_values_are_not_shown_by_accident(tmp_path: Path) -> None:
    made = secrets.ensure(tmp_path)
    assert made.secret_key not in repr(made)


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "value"
    secrets.write_private(file, "one")
    secrets.write_private(file, "two")
    assert file.read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["value"]


def test_new_passwords_are_those_of_the_local_servers_alone_and_kept_when_told(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    before = secrets.ensure(folder)
    chosen = secrets.with_new_passwords(before)
    changed = {name for name in Secrets.__slots__ if getattr(before, name) != getattr(chosen, name)}
    assert changed == {"postgres_password", "valkey_password"}
    assert secrets.ensure(folder) == before, "data that is there still has the old ones"
    secrets.keep_passwords(folder, chosen)
    assert secrets.ensure(folder) == chosen
    assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "status.json"
    secrets.write_private(file, "before")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        secrets.write_private(file, "after")
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert file.read_text() == "before"
