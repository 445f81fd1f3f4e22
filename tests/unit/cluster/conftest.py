from pathlib import Path

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
