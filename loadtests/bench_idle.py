"""What the whole stack occupies while nobody asks anything of it, by class of process.

The figure is the proportional share (PSS): a page that several processes map counts once in all, a part of it in each.
Summed RSS counts such a page once per process, and is printed beside it because other tools show it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadtests.processes import checkout_home, find_stack
from loadtests.report import Report
from loadtests.stack import Stack, StackNotReady

LOOK_EVERY_S = 5.0
QUIET_LOOKS = 3
"""So many looks in a row must see the same processes and the same memory."""

STEADY = 0.005
"""Memory that changes by less than this share between two looks is the same."""

REST_LIMIT_S = 120.0
MEGABYTE = 1_000_000

TITLES: Sequence[tuple[str, str]] = (
    ("ray::ServeController", "Serve: controller"),
    ("ray::ProxyActor", "Serve: fallback proxy"),
    ("ray::HAProxyManager", "Serve: HAProxy manager"),
    ("ray::ServeReplica:api", "Serve: api replicas"),
    ("ray::ServeReplica:realtime", "Serve: realtime replicas"),
    ("ray::ShardHost", "shard hosts, standby included"),
    ("ray::NodeAgent", "node agent"),
    ("ray::Supervisor", "supervisor actor"),
    ("ray::Dashboard", "Ray: dashboard and its agent"),
    ("ray::RuntimeEnvAgent", "Ray: runtime environment agent"),
    ("ray::", "Ray: other workers"),
)
"""Beginning of the title that a Ray process gives itself → its class. The first that fits."""

NAMES: Mapping[str, str] = {
    "gcs_server": "Ray: GCS",
    "raylet": "Ray: raylet",
    "haproxy": "HAProxy",
    "postgres": "Postgres",
    "valkey-server": "Valkey",
    "redis-server": "Valkey",
}
"""Name of the program → its class."""

FRONTEND = "front end"
DAEMON = "mobula up"
OTHER = "other"


@dataclass(frozen=True)
class Resident:
    """Resident memory of some processes, in bytes."""

    processes: int
    pss: int
    rss: int

    def __add__(self, other: "Resident") -> "Resident":
        return Resident(self.processes + other.processes, self.pss + other.pss, self.rss + other.rss)


NOTHING = Resident(0, 0, 0)


def class_of(command: Sequence[str]) -> str:
    """The class of a process by its command line."""
    title = command[0] if command else ""
    if title.startswith("ray::"):
        return next(name for beginning, name in TITLES if title.startswith(beginning))
    words = title.split()
    program = Path(words[0].rstrip(":")).name if words else ""
    if program in NAMES:
        return NAMES[program]
    if program == "node" or program.startswith("next-server"):
        return FRONTEND
    return DAEMON if "cluster.stack.runner" in command or "up" in command[1:] else OTHER


def resident(processes: Sequence[psutil.Process]) -> dict[str, Resident]:
    """Memory by class; a process that has just ended is left out. Raises StackNotReady where it cannot be read."""
    found: dict[str, Resident] = {}
    for process in processes:
        try:
            memory, command = process.memory_full_info(), process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        except psutil.AccessDenied as error:
            raise StackNotReady(
                f"the memory of process {process.pid} cannot be read: ask as its user, or root"
            ) from error
        if not hasattr(memory, "pss"):
            raise StackNotReady("proportional shares of memory are known on Linux only (/proc/PID/smaps_rollup)")
        name = class_of(command)
        found[name] = found.get(name, NOTHING) + Resident(1, memory.pss, memory.rss)
    return found


def total(classes: Mapping[str, Resident]) -> Resident:
    """All classes together."""
    return sum(classes.values(), NOTHING)


async def at_rest(home: Path) -> dict[str, Resident]:
    """Wait until neither processes nor memory change any more. Raises StackNotReady when they never stop."""
    loop = asyncio.get_running_loop()
    until = loop.time() + REST_LIMIT_S
    quiet, before = 0, (frozenset[int](), 0)
    while loop.time() < until:
        processes = find_stack(home)
        classes = resident(processes)
        now = (frozenset(process.pid for process in processes), total(classes).pss)
        same = now[0] == before[0] and abs(now[1] - before[1]) <= STEADY * now[1]
        quiet, before = quiet + 1 if same else 0, now
        if quiet == QUIET_LOOKS:
            return classes
        await asyncio.sleep(LOOK_EVERY_S)
    raise StackNotReady(f"the stack did not come to rest within {REST_LIMIT_S:.0f} s: does somebody use it?")


def describe(classes: Mapping[str, Resident]) -> Report:
    """The report. Raises StackNotReady without a front end, which the goal includes."""
    if FRONTEND not in classes:
        raise StackNotReady("the front end does not run, and the figure includes it: run './mobula up -d'")
    report = Report("idle")
    for name, each in sorted(classes.items(), key=lambda item: -item[1].pss):
        report.add(f"{name} ({each.processes}): PSS", each.pss / MEGABYTE, "MB")
        report.add(f"{name} ({each.processes}): RSS", each.rss / MEGABYTE, "MB")
    everything = total(classes)
    report.add(f"everything ({everything.processes}): PSS", everything.pss / MEGABYTE, "MB", "≤ 2500")
    report.add(
        f"everything ({everything.processes}): RSS, shared pages counted in each", everything.rss / MEGABYTE, "MB"
    )
    report.notes.append(
        "a stack that was just started, with its front end and nobody using it; the goal is for resident memory, in "
        "which a page counts once (PSS); MB are millions of bytes"
    )
    return report


async def run(stack: Stack) -> Report:
    """Wait until the stack is at rest, and see what it occupies."""
    await stack.check()
    return describe(await at_rest(checkout_home()))
