"""Runs a Stack in this process until somebody stops it, in the foreground or detached.

Detached: `python -m cluster.stack.runner PROGRESS`, started by `./mobula up -d` in a session of its own; it reads its
options from its standard input, and writes its events to the file PROGRESS, which the command follows.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from cluster.paths import Paths
from cluster.ports import PortError
from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import LimitTooLow
from cluster.services import claims
from cluster.services.errors import ServiceError, tail
from cluster.services.process import turn_over
from cluster.settings import ROOT, ProductionRefused, Settings
from cluster.stack import daemon_state, plan, progress, reload, stop_signals
from cluster.stack.budget import BudgetExceeded
from cluster.stack.daemon_state import AlreadyRunning, DaemonLock
from cluster.stack.plan import Options
from cluster.stack.problems import sentence
from cluster.stack.progress import Event, Listener, Progress, ProgressFile
from cluster.stack.supervisor import DAEMON_LOG, Stack

EXPECTED = (
    *(ServiceError, PortError, LimitTooLow, ProductionRefused, BudgetExceeded, AlreadyRunning),
    *(OSError, ValueError),  # a full disk, a read-only one, no permission, a name that is too long
)
"""What goes wrong for reasons that the message explains; everything else deserves its traceback."""

FOLLOW_S = 0.1

GOES_ON = "it goes on starting without this command: ./mobula status; ./mobula down stops it"


@claims.released()
def run(options: Options, *listeners: Listener, events: Path | None = None) -> int:
    """Start, watch, stop. Returns the exit status: 0 after a wanted stop, 1 when the start failed.

    `events` is a file for what happens. Raises AlreadyRunning, and then has changed nothing.
    """
    paths = Paths(options.home)
    lock = DaemonLock(paths)
    lock.take()
    try:
        record = Progress(*listeners, *([] if events is None else [ProgressFile(events)]))
        return _run_locked(options, paths, record)
    finally:
        lock.release()


def _run_locked(options: Options, paths: Paths, record: Progress) -> int:
    # A killed supervisor leaves Ray, HAProxy and the front end behind. They go before ports are chosen, or their ports
    # would count as taken and the whole checkout would move; Postgres and Valkey are adopted instead.
    processes.end_all(paths)
    try:
        planned = plan.make(options)
    except EXPECTED as problem:
        record.failed("stack", sentence(problem, paths.home))
        return 1
    _keep_log(planned.settings, record)
    stack = Stack(planned, record)
    starting = True

    def on_signal(number: int, frame: FrameType | None) -> None:
        stack.request_stop()
        if starting:
            raise KeyboardInterrupt

    before = stop_signals.catch(on_signal)
    status = 0
    try:
        stack.start()
        starting = False
        watcher = reload.ApiReloader(stack.plan, record) if options.development else None
        if watcher is not None:
            watcher.start()
        stack.watch()
        if watcher is not None:
            watcher.stop()
    except KeyboardInterrupt:
        status = 130
    except EXPECTED as problem:
        record.failed("stack", sentence(problem, paths.home))
        status = 1
    finally:
        starting = False
        left = stack.stop()
        stop_signals.restore(before)
    if left:
        record.failed("stack", "these processes do not end: " + ", ".join(left))
        status = 1
    else:
        paths.clear_short()
    return status


def _keep_log(settings: Settings, record: Progress) -> None:
    """What the supervisor does is in a log like everybody's: above all what died and was restarted."""
    from cluster import telemetry  # noqa: PLC0415 - only the process that supervises keeps one
    from cluster.logging import get_logger  # noqa: PLC0415 - as above

    telemetry.start(settings, process="up")
    logger = get_logger("mobula.up")

    def tell(event: Event) -> None:
        say = logger.error if event.state == "failed" else logger.info
        say(event.step, state=event.state, text=event.text, seconds=event.seconds)

    record.listen(tell)


def detach(
    options: Options,
    listener: Callable[[Event], None],
    environ: Mapping[str, str] | None = None,
    *,
    outlives_us: bool = True,
) -> int:
    """Start the daemon and follow it until it is ready or has failed. Returns 0 when it is ready.

    A command that is interrupted meanwhile says that the daemon goes on, or ends it if it must not outlive the command.
    """
    paths = Paths(options.home)
    paths.prepare()
    if daemon_state.holder(paths) is not None:
        raise AlreadyRunning("Mobula runs already in this checkout (./mobula status)")
    busy = daemon_state.working(paths)
    if busy:
        raise AlreadyRunning(busy)
    # Its own, and its options by no file either: two that start at once do not take each other's.
    events = paths.run / f"progress-{secrets.token_hex(4)}.jsonl"
    log_file = paths.logs / DAEMON_LOG
    turn_over(log_file)
    with log_file.open("ab") as log:
        began = log.tell()
        daemon = subprocess.Popen(
            [sys.executable, "-m", "cluster.stack.runner", str(events)],
            cwd=ROOT,
            env=dict(os.environ if environ is None else environ),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if daemon.stdin is not None:
            with contextlib.suppress(BrokenPipeError), daemon.stdin as stdin:  # it ended before it could read
                stdin.write(json.dumps(asdict(options), default=str).encode())
        return _follow(daemon, events, lambda: tail(log_file, 15, since=began), listener)
    except BaseException as problem:  # also a terminal that is gone
        if not outlives_us:
            # Here and not by its lock: it may not have that yet.
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(daemon_state.END_LIMIT_S)
        elif isinstance(problem, KeyboardInterrupt):
            listener(Event("note", "Mobula", GOES_ON))
        raise
    finally:
        events.unlink(missing_ok=True)


def _follow(daemon: "subprocess.Popen[bytes]", events: Path, said: Callable[[], str], listener: Listener) -> int:
    position = 0
    failed = False
    while True:
        ended = daemon.poll() is not None
        found, position = progress.read_from(events, position)
        for event in found:
            listener(event)
            if event.state == "ready":
                return 0
            failed = failed or event.state == "failed"
        if ended:
            if not failed:
                listener(Event("failed", "stack", f"the supervisor ended; its log (./mobula logs):\n{said()}"))
            return 1
        time.sleep(FOLLOW_S)


def main() -> int:
    """The daemon."""
    events = Path(sys.argv[1])
    data = json.loads(sys.stdin.read())
    options = Options(**{**data, "home": Path(data["home"])})
    try:
        return run(options, events=events)
    except AlreadyRunning as problem:  # within the moment since `detach` looked
        Progress(ProgressFile(events)).failed("stack", str(problem))
        return 1


if __name__ == "__main__":
    sys.exit(main())
