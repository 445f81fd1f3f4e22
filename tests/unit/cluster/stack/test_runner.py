"""The supervisor's frame around a stack that is none, in this process and detached."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.settings import Settings
from cluster.stack import plan, runner, stop_signals
from cluster.stack.daemon_state import AlreadyRunning, DaemonLock
from cluster.stack.plan import Options, Plan
from cluster.stack.problems import sentence
from cluster.stack.progress import Event, Progress


class Standing:
    """A stack that starts at once, and runs until it is asked to stop."""

    problem: Exception | None = None

    def __init__(self, planned: Plan, record: Progress) -> None:
        self.record = record
        self.asked = threading.Event()

    def start(self) -> None:
        if self.problem is not None:
            raise self.problem
        self.record.end("ready")

    def watch(self) -> None:
        """Somebody stops it."""
        raise KeyboardInterrupt

    def request_stop(self) -> None:
        self.asked.set()

    def stop(self) -> list[str]:
        return []


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> type[Standing]:
    class Mine(Standing):
        """This test's own."""

    planned = Plan(
        *(Options(), Settings(_env_file=None), Paths(Path())),  # type: ignore[call-arg]
        *(None, None, None, None, {}),  # type: ignore[arg-type]
    )
    monkeypatch.setattr(plan, "make", lambda options: planned)
    monkeypatch.setattr(processes, "end_all", lambda paths: ([], []))
    monkeypatch.setattr(runner, "_keep_log", lambda settings, record: None)
    monkeypatch.setattr(runner, "Stack", Mine)
    return Mine


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in stop_signals.SIGNALS}
    yield
    stop_signals.restore(before)


def test_what_happens_is_in_the_file_that_is_followed(paths: Paths, standing: type[Standing]) -> None:
    events = paths.run / "progress-1.jsonl"
    assert runner.run(Options(home=paths.home), events=events) == 130
    assert [json.loads(line)["state"] for line in events.read_text().splitlines()] == ["ready"]


def test_a_second_one_takes_nothing_from_the_first(paths: Paths, standing: type[Standing]) -> None:
    events = paths.run / "progress-1.jsonl"
    events.write_text("of the first\n")
    first = DaemonLock(paths)
    first.take()
    before = {path: path.read_bytes() for path in paths.run.iterdir()}
    with pytest.raises(AlreadyRunning):
        runner.run(Options(home=paths.home, fresh=True), events=events)
    assert {path: path.read_bytes() for path in paths.run.iterdir()} == before
    first.release()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.ENAMETOOLONG])
def test_a_disk_that_takes_nothing_is_a_sentence(paths: Paths, standing: type[Standing], code: int) -> None:
    standing.problem = OSError(code, os.strerror(code))
    said: list[Event] = []
    assert runner.run(Options(home=paths.home), said.append) == 1
    assert [event.state for event in said] == ["failed"]
    assert said[0].text == sentence(standing.problem, paths.home)
    assert str(paths.home) in said[0].text or code == errno.ENAMETOOLONG


def test_under_nohup_the_end_of_the_terminal_is_not_its_own(paths: Paths, standing: type[Standing]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    found: list[Any] = []
    standing.watch = lambda self: found.append(signal.getsignal(signal.SIGHUP))  # type: ignore[method-assign]
    assert runner.run(Options(home=paths.home)) == 0
    assert found == [signal.SIG_IGN]


class Daemon:
    """What `detach` starts instead of the supervisor, and with what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        self.arguments: list[list[str]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        popen = subprocess.Popen

        def start(argv: list[str], **how: Any) -> Any:
            self.arguments.append(argv)
            self.processes.append(popen([sys.executable, "-c", script, *argv[3:]], **how))
            return self.processes[-1]

        monkeypatch.setattr(subprocess, "Popen", start)


ECHO = """
import json, sys
options = json.loads(sys.stdin.read())
with open(sys.argv[1], "w") as events:
    print(json.dumps({"state": "note", "step": "stack", "text": str(options["fresh"])}), file=events)
    print(json.dumps({"state": "ready", "step": "stack"}), file=events)
"""


def test_two_that_start_at_once_have_their_own_options_and_events(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(monkeypatch, ECHO)
    for fresh in (True, False):
        said: list[Event] = []
        assert runner.detach(Options(home=paths.home, fresh=fresh), said.append) == 0
        assert [(event.state, event.text) for event in said] == [("note", str(fresh)), ("ready", "")]
    first, second = (argv[-1] for argv in daemon.arguments)
    assert first != second
    assert list(paths.run.glob("progress*")) == []


def test_a_daemon_that_ends_without_a_word_is_said_with_what_it_left(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    Daemon(monkeypatch, "import sys; sys.exit('no memory')")
    (paths.logs / "daemon.log").write_text("of an earlier one\n")
    said: list[Event] = []
    assert runner.detach(Options(home=paths.home), said.append) == 1
    assert said[-1].state == "failed"
    assert "no memory" in said[-1].text
    assert "an earlier one" not in said[-1].text
    assert (paths.logs / "daemon.log").read_text() == "of an earlier one\nno memory\n"


STARTING = """
import json, signal, sys
sys.stdin.read()
with open(sys.argv[1], "w") as events:
    print(json.dumps({"state": "begin", "step": "Postgres"}), file=events)
signal.pause()
"""


@pytest.mark.parametrize("outlives_us", [True, False])
def test_a_start_that_is_interrupted_goes_on_and_says_so_or_ends(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, outlives_us: bool
) -> None:
    daemon = Daemon(monkeypatch, STARTING)
    said: list[str] = []

    def listen(event: Event) -> None:
        said.append(event.text)
        if event.state == "begin":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.detach(Options(home=paths.home), listen, outlives_us=outlives_us)
    (process,) = daemon.processes
    assert said == (["", runner.GOES_ON] if outlives_us else [""])
    assert (process.poll() is None) is outlives_us
    process.kill()
    process.wait()
    assert list(paths.run.glob("progress*")) == []


def test_a_daemon_that_comes_second_says_why_it_does_not_start(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    first = DaemonLock(paths)
    first.take()
    events = paths.run / "progress-2.jsonl"
    monkeypatch.setattr(sys, "argv", ["runner", str(events)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"home": str(paths.home)})))
    assert runner.main() == 1
    (event,) = (json.loads(line) for line in events.read_text().splitlines())
    assert event["state"] == "failed"
    assert "runs already" in event["text"]
    first.release()
