import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import MARKER
from cluster.settings import ROOT
from cluster.stack import reload
from cluster.stack.progress import Event, Progress
from cluster.stack.reload import LEFT_ALONE, ApiReloader, changes, end_actors, snapshot
from tests.fixtures.waiting import eventually_sync


def test_files_that_come_go_or_change_are_noticed(tmp_path: Path) -> None:
    room = tmp_path / "serve_app"
    room.mkdir()
    kept, edited, removed = (room / f"{name}.py" for name in ("kept", "edited", "removed"))
    for file in (kept, edited, removed):
        file.write_text("")
    (room / "notes.txt").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.py").write_text("")
    before = snapshot(tmp_path)
    assert set(before) == {kept, edited, removed}
    os.utime(edited, ns=(1, 1))
    removed.unlink()
    added = room / "added.py"
    added.write_text("")
    assert changes(before, snapshot(tmp_path)) == sorted([added, edited, removed])
    assert changes(before, before) == []


class Reloader:
    """The watcher with a deployment that is known, and with what it ended and said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, status: int = 0) -> None:
        self.events: list[Event] = []
        self.ended = 0
        plan: Any = SimpleNamespace(paths=None, env={"A": "b"})
        self.watching = ApiReloader(plan, Progress(self.events.append))
        self.deployed: list[list[str]] = []

        def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
            assert options["env"] == {"A": "b"}
            self.deployed.append(command[1:])
            return subprocess.CompletedProcess(command, status, "", "Traceback\nSyntaxError: oh\n")

        def end(paths: object) -> int:
            self.ended += 1
            return 3

        monkeypatch.setattr(reload.subprocess, "run", run)
        monkeypatch.setattr(reload, "end_actors", end)


@pytest.mark.parametrize(
    ("changed", "ended"),
    [("serve_app/orders/router.py", 0), ("tasks/mail/send.py", 1), ("actors/jobs/owner.py", 1), ("db/session.py", 1)],
)
def test_whose_code_has_changed_runs_anew_and_the_rest_is_named(
    changed: str, ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Reloader(monkeypatch)
    made.watching._renew([ROOT / changed, ROOT / "serve_app" / "app.py"])
    assert made.ended == ended
    assert made.deployed == [["-m", "cluster.deploy", "api"]]
    assert made.events[0].text == f"{changed} and 1 more changed: redeploying"
    assert ("agents, shard hosts and job workers restarted" in made.events[1].text) is bool(ended)
    assert made.events[1].text.endswith(LEFT_ALONE)


def test_code_that_does_not_start_leaves_the_one_before_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Reloader(monkeypatch, status=1)
    made.watching._renew([ROOT / "serve_app" / "app.py"])
    assert "not redeployed, the code from before goes on" in made.events[1].text
    assert "SyntaxError: oh" in made.events[1].text


def test_several_files_that_an_editor_writes_are_one_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a round in which nothing changes."""
    made = Reloader(monkeypatch)
    shots = [{Path("a"): 1}, {Path("a"): 2}, {Path("a"): 2, Path("b"): 1}, {Path("a"): 2, Path("b"): 1}]
    renewed: list[list[Path]] = []
    monkeypatch.setattr(reload, "POLL_S", 0.0)
    monkeypatch.setattr(reload, "snapshot", lambda: shots.pop(0) if len(shots) > 1 else shots[0])
    monkeypatch.setattr(made.watching, "_renew", renewed.append)
    made.watching.start()
    eventually_sync(lambda: renewed)
    made.watching.stop()
    assert renewed == [[Path("a"), Path("b")]]


def test_only_this_checkout_s_actors_and_idle_workers_are_ended(paths: Any) -> None:
    def process(title: str, home: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [title, "-c", "read nothing"], executable="/bin/sh", stdin=subprocess.PIPE, env={MARKER: str(home)}
        )

    mine = [process(title, paths.home) for title in ("ray::NodeAgentProcess", "ray::ShardHostProcess", "ray::IDLE")]
    others = [process("ray::ServeReplica:realtime:x", paths.home), process("ray::IDLE", paths.home / "other")]
    try:
        eventually_sync(lambda: len(processes.find(paths)) == 4)
        assert end_actors(paths) == 3
        assert [one.wait(10) for one in mine] == [-9] * 3
        assert [one.poll() for one in others] == [None, None]
    finally:
        for one in mine + others:
            one.kill()
            one.communicate()
