from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cluster.paths import Paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A checkout's directories, all of them in the test's own folder."""
    monkeypatch.setattr("cluster.paths.SHORT_BASE", tmp_path / "s")
    (tmp_path / "s").mkdir()
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
