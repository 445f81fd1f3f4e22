"""What every Ray node is started with and how it is ended, the head and those that join it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import processes
from cluster.services.process import Identity, run_to_end
from cluster.settings import ROOT, Settings

START_LIMIT_S = 120.0

KEPT_SESSIONS = 2
"""Earlier sessions whose logs are kept."""

RAY_NAMES = ("gcs_server", "raylet", "haproxy")


def parameters(settings: Settings, paths: Paths, ports: Ports) -> dict[str, object]:
    """What head and other nodes have in common, for `launch_node`."""
    port = ports.service
    first_worker, last_worker = ports.workers
    return {
        "node_ip_address": settings.node_address,
        "node_manager_port": port("node_manager"),
        "object_manager_port": port("object_manager"),
        "min_worker_port": first_worker,
        "max_worker_port": last_worker,
        "dashboard_agent_listen_port": port("dashboard_agent_http"),
        "metrics_agent_port": port("dashboard_agent_grpc"),
        "runtime_env_agent_port": port("runtime_env_agent"),
        "metrics_export_port": port("metrics_export"),
        "temp_dir": str(paths.ray),
        "include_log_monitor": False,
        "object_store_memory": settings.ray_object_store_mb * 1024 * 1024,
        "num_cpus": settings.ray_cpus or os.cpu_count() or 1,
    }


def launch(file: Path, env: Mapping[str, str], log_file: Path, given_up: Callable[[], bool] = lambda: False) -> bool:
    """Start a node with the parameters in `file`. Returns whether it started; the log says why not."""
    argv = [sys.executable, "-m", "cluster.ray_runtime.launch_node", str(file)]
    try:
        # From there, and so are Ray's processes: Python looks for modules in the directory that it is started in.
        return run_to_end(argv, env=env, log_file=log_file, cwd=ROOT, timeout_s=START_LIMIT_S, given_up=given_up) == 0
    except subprocess.TimeoutExpired:
        why = "somebody stopped it" if given_up() else f"it was not there after {START_LIMIT_S:.0f} s"
        with log_file.open("a") as log:
            log.write(f"{why}\n")
        return False


def told(log_file: Path) -> dict[str, Any]:
    """What `launch_node` said about the node that it started; empty when it said nothing."""
    for line in reversed(log_file.read_text(errors="replace").splitlines() if log_file.exists() else []):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def stop(paths: Paths, *, spare: tuple[int, ...] = ()) -> list[Identity]:
    """End every Ray process of this checkout, HAProxy included. Returns who did not end."""
    _, left = processes.end_all(paths, spare=spare, which=_is_ray)
    return left


def tidy(paths: Paths) -> None:
    """Before a node starts: old sessions go, or /tmp fills, and with them what earlier HAProxys left."""
    sessions = sorted(paths.ray.glob("session_2*"), key=lambda path: path.name, reverse=True)
    for session in sessions[KEPT_SESSIONS - 1 :]:
        shutil.rmtree(session, ignore_errors=True)
    for folder in paths.haproxy.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def _is_ray(identity: Identity) -> bool:
    """Whether a process of ours belongs to Ray, not to the services or the front end."""
    try:
        process = psutil.Process(identity.pid)
        command = process.cmdline()
    except psutil.Error:
        return False
    if not command:
        return False
    text = " ".join(command)
    return (
        Path(command[0]).name in RAY_NAMES
        or command[0].startswith("ray::")
        or "/ray/" in text
        or "haproxy_wrapper" in text
    )
