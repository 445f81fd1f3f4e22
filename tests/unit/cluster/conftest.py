from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cluster.paths import Paths


@pytest.fixture(autouse=True)
def no_litter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short directories of tests' checkouts are nobody's litter."""
    monkeypatch.setattr("cluster.paths.SHORT_BASE", tmp_path_factory.mktemp("s"))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A checkout's directories, all of them in the test's own folder."""
    paths = Paths(tmp_path / "home")
    paths.prepare()
    return paths


@pytest.fixture
def step_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the wall clock forward, as far as times of processes go: the kernel derives the boot's from it."""
    if not psutil.LINUX:
        pytest.skip("elsewhere psutil has other times")
    booted = psutil.boot_time()

    def step(seconds: float) -> None:
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + seconds)

    return step
