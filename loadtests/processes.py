"""CPU of the processes under test, and peers as child processes."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

PEER_START_S = 30.0


class CpuMeter:
    """CPU seconds that a set of processes use between `start` and `stop`."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._processes = list(processes)
        self._before: dict[int, float] = {}

    @staticmethod
    def _seconds(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    def start(self) -> "CpuMeter":
        """Begin."""
        self._before = {process.pid: self._seconds(process) for process in self._processes}
        return self

    def stop(self) -> float:
        """CPU seconds since `start`. Raises psutil.NoSuchProcess when one has ended: the figure would be too good."""
        return sum(self._seconds(process) - self._before[process.pid] for process in self._processes)


def checkout_home() -> Path:
    """The state directory of the local stack: `.mobula` of this checkout unless MOBULA_HOME says otherwise."""
    return Path(os.environ.get("MOBULA_HOME") or Path(__file__).resolve().parent.parent / ".mobula")


def find_titled(prefix: str, home: Path | None = None) -> list[psutil.Process]:
    """Ray processes of one checkout by the title that Ray gives them: several stacks may run on one machine."""
    wanted = str(home or checkout_home())
    found = []
    for process in psutil.process_iter():
        try:
            if "".join(process.cmdline()[:1]).startswith(f"ray::{prefix}") and (
                process.environ().get("MOBULA_CHECKOUT") == wanted
            ):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def find_stack(home: Path | None = None) -> list[psutil.Process]:
    """Every process of one checkout's running stack, `mobula up` included; not ourselves and who started us."""
    home = home or checkout_home()
    excluded = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    everybody = {process.pid: process for process in psutil.process_iter()}
    try:
        mine = {int(json.loads((home / "run" / "daemon.lock").read_text(encoding="utf-8"))["pid"])} & everybody.keys()
    except (OSError, ValueError, KeyError):
        mine = set()
    parents: dict[int, int] = {}
    for pid, process in everybody.items():
        try:
            parents[pid] = process.ppid()
            if process.environ().get("MOBULA_CHECKOUT") == str(home):
                mine.add(pid)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    grown = True
    while grown:  # Postgres overwrites its environment, and is found by whom it came from
        children = {pid for pid, parent in parents.items() if parent in mine and pid not in mine}
        mine |= children
        grown = bool(children)
    return [everybody[pid] for pid in sorted(mine - excluded)]


def find_replicas(application: str, home: Path | None = None) -> list[psutil.Process]:
    """Processes of the Serve replicas of one application."""
    return find_titled(f"ServeReplica:{application}:", home)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PeerFailed(Exception):
    """A peer program did not start."""


@asynccontextmanager
async def peer(module: str, arguments: Sequence[str] = ()) -> AsyncIterator[tuple[psutil.Process, int]]:
    """Run `python -m module --port PORT …` until the block ends; yields its process and port once it accepts."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "--port", str(port), *arguments, env=dict(os.environ), start_new_session=True
    )
    try:
        await _accepts(port, child)
        yield psutil.Process(child.pid), port
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()


async def _accepts(port: int, child: asyncio.subprocess.Process) -> None:
    deadline = asyncio.get_running_loop().time() + PEER_START_S
    while asyncio.get_running_loop().time() < deadline:
        if child.returncode is not None:
            raise PeerFailed(f"the peer ended with status {child.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise PeerFailed(f"the peer did not listen on port {port} within {PEER_START_S} s")
