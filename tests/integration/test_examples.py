"""The examples' own tests run as their readers would run them: with Mobula's fixtures, from Mobula's root."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent.parent for path in (ROOT / "docs" / "examples").glob("*/checks/conftest.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example: Path, postgres_server: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(example / "pyproject.toml")]
    done = subprocess.run(
        [*command, str(example / "checks")],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "MOBULA_TEST_DATABASE_URL": postgres_server},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_there_are_examples() -> None:
    assert "projects" in {example.name for example in EXAMPLES}
