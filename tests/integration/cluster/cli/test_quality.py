import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from cluster.cli import quality
from cluster.settings import ROOT
from tests.fixtures.waiting import eventually_sync


def test_a_terminal_that_is_closed_during_a_check_leaves_no_server_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: quality.Command) -> quality.Outcome:
        commands.append(list(command.argv))
        return quality.Outcome("", True, 0.0)

    monkeypatch.setattr(quality.Command, "run", run)
    quality.MigrationsMatch().run()
    check = subprocess.Popen(commands[0], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True)

    def servers() -> list[psutil.Process]:
        found = psutil.process_iter(["cmdline"])
        return [one for one in found if any(str(tmp_path) in word for word in one.info["cmdline"] or [])]

    eventually_sync(servers, 60.0)
    check.send_signal(signal.SIGHUP)
    assert check.wait(timeout=60) != 0
    eventually_sync(lambda: not servers(), 10.0)
    assert list(tmp_path.iterdir()) == []
