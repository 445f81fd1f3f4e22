"""Documents name files that exist: a path in backticks, or behind a link, that went away is noticed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = re.compile(r"`((?:[\w.()\[\]-]+/)+[\w.*()\[\]-]+)`")
TEST = re.compile(r"`(tests/[\w/.-]+\.py)::(\w+)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
STARTS = {
    *("serve_app", "actors", "tasks", "db", "cluster", "frontend", "tests", "loadtests", "docs", "http"),
    *(".github", ".ci", ".vscode"),
}


def documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


def missing(document: Path, root: Path = ROOT) -> list[str]:
    """Paths that a document names and that do not exist."""
    text = document.read_text(encoding="utf-8")
    named = [path for path in PATH.findall(text) if path.split("/")[0] in STARTS and "*" not in path]
    gone = [path for path in named if not (root / path).exists() and not (root / f"{path}.py").exists()]
    for path, name in TEST.findall(text):
        if not (root / path).is_file() or f"def {name}(" not in (root / path).read_text(encoding="utf-8"):
            gone.append(f"{path}::{name}")
    return gone + [link for link in LINK.findall(text) if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_exist(document: Path) -> None:
    assert missing(document) == []


def test_a_path_that_went_away_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "session.py").touch()
    document = tmp_path / "README.md"
    document.write_text("`db/session.py`, `db/session`, `db/gone.py`, `a/b`, [x](gone.md), [y](https://z)")
    assert missing(document, tmp_path) == ["db/gone.py", "gone.md"]
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("def test_is(): pass")
    document.write_text("`tests/test_x.py::test_is`, `tests/test_x.py::test_was`")
    assert missing(document, tmp_path) == ["tests/test_x.py::test_was"]
