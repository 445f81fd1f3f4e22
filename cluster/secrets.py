"""Secrets that are generated on the first start, one file each in `.mobula/secrets`, readable by the owner only."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that nobody mistakes for one another: people type the demo password."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Everything that was generated; the values never appear in logs or arguments."""

    postgres_password: str
    valkey_password: str
    secret_key: str
    encryption_key: str
    server_api_key: str
    frontend_token: str
    shared_poll_secret: str
    ray_token: str
    demo_password: str
    signing_key_file: Path
    ray_token_file: Path


def ensure(folder: Path) -> Secrets:
    """Read the secrets, generating what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _keep(folder / "signing.pem", _signing_key)
    return Secrets(
        postgres_password=_keep(folder / "postgres_password", _token),
        valkey_password=_keep(folder / "valkey_password", _token),
        secret_key=_keep(folder / "secret_key", _token),
        encryption_key=_keep(folder / "encryption_key", _fernet_key),
        server_api_key=_keep(folder / "server_api_key", _token),
        frontend_token=_keep(folder / "frontend_token", _token),
        shared_poll_secret=_keep(folder / "shared_poll_secret", _token),
        ray_token=_keep(folder / "ray_token", lambda: secrets.token_hex(32)),
        demo_password=_keep(folder / "demo_password", _spoken),
        signing_key_file=folder / "signing.pem",
        ray_token_file=folder / "ray_token",
    )


def with_new_passwords(found: Secrets) -> Secrets:
    """The same with new passwords of the local servers, which only new data may have; written by `keep_passwords`."""
    return replace(found, postgres_password=_token(), valkey_password=_token())


def keep_passwords(folder: Path, chosen: Secrets) -> None:
    """Write the passwords of the local servers, once the data that had others is gone."""
    write_private(folder / "postgres_password", chosen.postgres_password + "\n")
    write_private(folder / "valkey_password", chosen.valkey_password + "\n")


def write_private(file: Path, text: str) -> None:
    """Write a file that is never, not even for a moment, readable by others; complete or not at all."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "w") as out:  # mkstemp creates with 0600
            out.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _keep(file: Path, make: Callable[[], str]) -> str:
    try:
        found = file.read_text().strip()
    except FileNotFoundError:
        found = ""
    if not found:
        found = make()
        write_private(file, found + "\n")
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)
    return found


def _token() -> str:
    return secrets.token_urlsafe(36)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _spoken() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()
