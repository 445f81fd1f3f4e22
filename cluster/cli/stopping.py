"""`./mobula down`: ends the supervisor, then whatever a killed one left behind, and looks again."""

import signal
import time

from cluster import ports, secrets
from cluster.cli.printing import console, fail
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.stack import daemon_state
from cluster.stack.plan import local_postgres, local_valkey

SUPERVISOR_LIMIT_S = 90.0
LOCK_LIMIT_S = 5.0
"""From a supervisor's end to the end of its last thread, with which the lock goes."""


def stop_everything(paths: Paths) -> int:
    """Stop this checkout's processes. Returns 0 when none is left."""
    supervisor = daemon_state.holder(paths)
    if supervisor is not None:
        console.print("Stopping …")
        supervisor.end(((signal.SIGTERM, SUPERVISOR_LIMIT_S), (signal.SIGKILL, 5.0)))
    if not _let_go(paths):
        # It would bring back whatever is stopped here.
        fail(f"whoever holds {paths.run / 'daemon.lock'} does not end, and nothing was stopped")
        return 1
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
    if supervisor is None and not found and not swept:
        console.print("Nothing was running.")
    else:
        console.print("[green]✓[/green] Everything is stopped.")
    if paths.run.is_dir():
        daemon_state.write_status(paths, {})
    return 0


def _let_go(paths: Paths) -> bool:
    """Whether nobody holds the checkout any more."""
    deadline = time.monotonic() + LOCK_LIMIT_S
    while daemon_state.is_held(paths):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # waiting for the lock itself could not be given up
    return True
