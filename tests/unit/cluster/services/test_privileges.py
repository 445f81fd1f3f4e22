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


def test_an_ordinary_user_gives_nothing_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = tmp_path.stat().st_uid
    ServiceAccount("direct", user=NOBODY).own(tmp_path)
    assert tmp_path.stat().st_uid == before
