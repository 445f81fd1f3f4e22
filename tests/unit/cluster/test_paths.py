import os
from pathlib import Path

import pytest

from cluster import paths
from cluster.paths import SHORT_BASE, Paths


@pytest.fixture
def short_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path / "s"
    base.mkdir()
    monkeypatch.setattr(paths, "SHORT_BASE", base)
    return base


def test_preparing_makes_everything_and_links_the_short_directory(tmp_path: Path, short_base: Path) -> None:
    made = Paths(tmp_path / "home")
    made.prepare()
    made.prepare()
    assert all(folder.is_dir() for folder in (made.secrets, made.logs, made.run, made.exports, made.ray, made.haproxy))
    assert (made.home / "short").resolve() == made.short.resolve()
    assert made.short.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("uid", "walked"), [(0, 0o711), (1000, 0o700)])
def test_other_users_see_nothing_and_only_root_s_postgres_may_walk_to_its_data(
    tmp_path: Path, short_base: Path, monkeypatch: pytest.MonkeyPatch, uid: int, walked: int
) -> None:
    made = Paths(tmp_path / "home")
    for folder in (made.exports, made.logs, made.home / "data"):  # as an earlier version left them
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    made.prepare()
    modes = {folder.name: folder.stat().st_mode & 0o777 for folder in made.home.iterdir() if not folder.is_symlink()}
    closed = dict.fromkeys(("secrets", "logs", "run", "exports", "build"), 0o700)
    assert modes == {"data": walked, **closed}
    assert made.home.stat().st_mode & 0o777 == walked


def test_a_home_of_somebody_else_is_refused_with_the_remedy(
    tmp_path: Path, short_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(PermissionError, match="name another MOBULA_HOME"):
        Paths(tmp_path / "home").prepare()


def test_two_checkouts_have_two_short_directories(tmp_path: Path) -> None:
    assert Paths(tmp_path / "a").short != Paths(tmp_path / "b").short


def test_sockets_have_room_below_the_short_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SHORT_BASE", SHORT_BASE)
    assert len(str(Paths(tmp_path / ("long" * 40)).short)) < 40


def test_a_short_directory_that_somebody_prepared_is_refused(tmp_path: Path, short_base: Path) -> None:
    somewhere = tmp_path / "trap"
    somewhere.mkdir()
    (short_base / f"mobula-{os.getuid()}").symlink_to(somewhere)
    with pytest.raises(PermissionError, match="remove it"):
        Paths(tmp_path / "home").prepare()


def test_clearing_removes_the_short_directory_and_keeps_the_last_logs(tmp_path: Path, short_base: Path) -> None:
    made = Paths(tmp_path / "home")
    made.prepare()
    logs = made.ray / "session_1" / "logs"
    logs.mkdir(parents=True)
    (logs / "serve.log").write_text("the end")
    (made.ray / "session_latest").symlink_to(made.ray / "session_1")
    made.clear_short()
    made.clear_short()
    assert list(short_base.iterdir()) == []
    assert not (made.home / "short").is_symlink()
    assert (made.ray_logs / "serve.log").read_text() == "the end"


def test_clearing_leaves_other_checkouts_alone(tmp_path: Path, short_base: Path) -> None:
    one, two = Paths(tmp_path / "one"), Paths(tmp_path / "two")
    one.prepare()
    two.prepare()
    one.clear_short()
    assert not one.short.exists()
    assert two.ray.is_dir()
