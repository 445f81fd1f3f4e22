"""`./mobula down`: ends the supervisor, then whatever a killed one left behind, and looks again.

Meanwhile it has the lock of the commands that work on a stopped checkout: no supervisor starts and loses its first
processes to it, and no command loses the server that it works with.
"""

import signal
import time

from cluster import ports, secrets
from cluster.cli.printing import console, fail
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.stack import daemon_state
from cluster.stack.daemon_state import CommandLock
from cluster.stack.plan import local_postgres, local_valkey

LOCK_LIMIT_S = 5.0
"""From a supervisor's end to the end of its last thread, with which the lock goes."""


def stop_everything(paths: Paths) -> int:
    """Stop this checkout's processes. Returns 0 when none is left."""
    supervisor = daemon_state.holder(paths)
    if supervisor is not None:
        console.print("Stopping …")
        supervisor.end(((signal.SIGTERM, daemon_state.END_LIMIT_S), (signal.SIGKILL, 5.0)))
    lock = CommandLock(paths)
    if not _have_alone(lock, paths):
        fail(_who(lock, paths, was_running=supervisor is not None))
        return 1
    try:
        return _sweep(paths, was_running=supervisor is not None)
    finally:
        lock.release()


def _sweep(paths: Paths, *, was_running: bool) -> int:
    # What is still there was left by a supervisor that was killed. Services first: they want to be asked politely.
    swept = False
    recorded = ports.recorded(paths.ports_file)
    if recorded is not None:
        generated = secrets.ensure(paths.secrets)
        for service in (local_valkey(paths, recorded, generated), local_postgres(paths, recorded, generated)):
            swept = service.is_left_behind() or swept
            service.stop()
    found, left = processes.end_all(paths)
    if left:
        fail("these processes do not end: " + ", ".join(processes.describe(one) for one in left))
        return 1
    paths.clear_short()
    if not was_running and not found and not swept:
        console.print("Nothing was running.")
    else:
        console.print("[green]✓[/green] Everything is stopped.")
    daemon_state.write_status(paths, {})
    return 0


def _have_alone(lock: CommandLock, paths: Paths) -> bool:
    """Whether nobody holds the checkout any more, and nobody can as long as we have the lock."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while True:
        # Supervisors take their own lock first, and give it back if they do not get this one.
        if not daemon_state.is_held(paths) and lock.take_alone("./mobula down"):
            if not daemon_state.is_held(paths):
                return True
            lock.release()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # waiting for the lock itself could not be given up


def _who(lock: CommandLock, paths: Paths, *, was_running: bool) -> str:
    """Who has the checkout, for people."""
    if not daemon_state.is_held(paths):
        return f"{'the supervisor has ended, but ' if was_running else ''}{lock.who()}"
    if daemon_state.holder(paths) is not None:
        return "Mobula was started again meanwhile (./mobula status); once more ./mobula down stops it"
    # It would bring back whatever is stopped here.
    return f"whoever holds {paths.run / 'daemon.lock'} does not end, and nothing was stopped"
