import os
from pathlib import Path

import pytest

from cluster.services import privileges
from cluster.services.binaries import find_postgres
from cluster.services.privileges import NOBODY, ServiceAccount, choose_account


@pytest.fixture
def bindir() -> Path:
    found = find_postgres()
    assert found is not None
    return found.bindir


def test_an_ordinary_user_starts_it_directly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    account = choose_account(tmp_path, tmp_path / "data")
    assert (account.how, account.prefix, account.user) == ("direct", (), None)


def test_root_lends_it_the_first_identity_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bindir: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(privileges, "_nobody_can", lambda *_: True)
    assert choose_account(bindir, tmp_path / "data").user == NOBODY
    monkeypatch.setattr(privileges, "_nobody_can", lambda *_: False)
    monkeypatch.setattr(privileges, "_works", lambda argv, **_: argv[0] == "unshare")
    account = choose_account(bindir, tmp_path / "data")
    assert (account.how, account.user) == ("namespace", None)
    assert account.prefix[0] == "unshare"


def test_root_without_any_way_is_told_the_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)
    monkeypatch.setattr(privileges, "_works", lambda *_, **__: False)
    monkeypatch.setattr(privileges, "PUBLIC_ROOT", tmp_path)
    bindir = tmp_path / "pg" / "bin"
    bindir.mkdir(parents=True)
    if os.getuid() != 0:
        pytest.skip("the copy must belong to root")
    with pytest.raises(PermissionError, match="DATABASE_URL"):
        choose_account(bindir, tmp_path / "data")


def test_root_finds_the_data_again_or_says_what_keeps_it_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("the copy must belong to root")
    walks = {"here": True, "elsewhere": True}

    def can(postgres: Path, data_dir: Path) -> bool:
        return walks["here" if data_dir == data else "elsewhere"]

    monkeypatch.setattr(privileges, "PUBLIC_ROOT", tmp_path / "public")
    monkeypatch.setattr(privileges, "_nobody_can", can)
    monkeypatch.setattr(privileges, "_works", lambda *_, **__: False)
    bindir, data = tmp_path / "pg" / "bin", tmp_path / "home" / "data"
    for folder in (bindir, data, tmp_path / "public"):
        folder.mkdir(parents=True)

    (data / "PG_VERSION").write_text("18")
    assert choose_account(bindir, data).data_dir == data
    walks["here"] = False
    with pytest.raises(PermissionError, match=r"can no longer be reached by uid 65534.*chmod o\+x"):
        choose_account(bindir, data)
    (data / "PG_VERSION").unlink()
    copied = choose_account(bindir, data)
    assert copied.how == "copied"
    copied.data_dir.mkdir()
    (copied.data_dir / "PG_VERSION").write_text("18")
    walks["here"] = True
    assert choose_account(bindir, data).data_dir == copied.data_dir


def test_an_ordinary_user_gives_nothing_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = tmp_path.stat().st_uid
    ServiceAccount("direct", user=NOBODY).own(tmp_path)
    assert tmp_path.stat().st_uid == before
