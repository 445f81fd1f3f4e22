import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.settings import ROOT
from tests.fixtures.waiting import eventually_sync

SCRIPT = """
import sys
from pathlib import Path
from cluster.cli import testing
from cluster.cli.app import main

testing.WORKERS, testing.ROOT = 1, Path(sys.argv[1])
sys.argv = ["mobula", "test", "integration"]
sys.exit(main())
"""

TESTS = """
import signal
from pathlib import Path

def test_that_lasts():
    here = Path(__file__).parent
    try:
        (here / "begun").touch()
        signal.pause()
    finally:
        (here / "ended").touch()
"""


def _processes(folder: Path) -> list[list[str]]:
    """Those that name this folder."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words for words in found if any(str(folder) in word for word in words)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_tests_that_are_ended_leave_no_server_behind(tmp_path: Path, number: signal.Signals) -> None:
    tests = tmp_path / "root" / "tests" / "integration"
    tests.mkdir(parents=True)
    (tests / "test_lasting.py").write_text(TESTS)
    temporary = tmp_path / "t"
    temporary.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MOBULA_") and name != "CI"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "root")]
    ran = subprocess.Popen(command, cwd=ROOT, env={**env, "TMPDIR": str(temporary)}, start_new_session=True)
    eventually_sync((tests / "begun").exists, 60.0)
    assert any("postgres" in words[0] for words in _processes(temporary))
    ran.send_signal(number)
    assert ran.wait(timeout=60) != 0
    assert (tests / "ended").exists()
    eventually_sync(lambda: _processes(tmp_path) == [], 10.0)
    assert list(temporary.glob("mobula-test-*")) == []
