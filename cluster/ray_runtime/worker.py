"""A Ray node that joins the head of another machine (or of this one, in tests)."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node, processes
from cluster.ray_runtime.environment import install_haproxy_wrapper
from cluster.services.errors import ServiceError, tail
from cluster.services.process import Identity, run_to_end
from cluster.settings import ROOT, Settings

REPLACEMENT_LIMIT_S = 60.0
"""Replicas here are drained once others run elsewhere, which busy machines take their time for."""

GRACE_S = 120.0
"""Serve stops a replica so long (and DRAIN_SECONDS) before the announced end even if no other runs elsewhere yet: what
it may take to end, `serve_app.deployments.AFTER_WINDOW_S`."""

ANNOUNCE_LIMIT_S = 30.0
"""Importing Ray, and the head's answer; Ray itself looks longer for a head that is away."""

LOOK_S = 0.5
"""Processes that are not our children are waited for by looking."""


class RayWorkerNode:
    """One node beside the head. Its raylet's death takes every process of the node along."""

    def __init__(self, settings: Settings, paths: Paths, ports: Ports, env: Mapping[str, str], head: str) -> None:
        """`head`: host:port of the GCS."""
        self._settings, self._paths, self._ports, self._env, self._head = settings, paths, ports, env, head
        self._raylet: Identity | None = None
        self._log_file = paths.logs / "ray-start.log"
        self._id = ""
        self.nodes = 0
        """How many the cluster had when this one had joined; 0: not known."""

    def start(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Join, with nothing left of an earlier node of this checkout, unless it is given up meanwhile.

        Raises ServiceError with what Ray said.
        """
        if self.stop():
            raise ServiceError("processes of an earlier node of this checkout do not end")
        node.tidy(self._paths)
        install_haproxy_wrapper(self._settings, self._paths)
        file = self._paths.run / "ray-node.json"
        file.write_text(
            json.dumps({**node.parameters(self._settings, self._paths, self._ports), "gcs_address": self._head})
        )
        if not node.launch(file, self._env, self._log_file, given_up):
            self.stop()
            raise ServiceError(f"cannot join {self._head}; the end of {self._log_file}:\n{tail(self._log_file, 15)}")
        self._raylet = self._find()
        told = node.told(self._log_file)
        self._id, self.nodes = str(told.get("node", "")), int(told.get("nodes", 0))

    def leave(self, hurried: Callable[[], bool]) -> str:
        """Let Serve make the replicas of this node anew elsewhere and drain those here: each hub sends its sockets
        elsewhere over DRAIN_SECONDS. Returns why that was not possible, or "".

        Waits until none is here, at most DRAIN_SECONDS and what replacements take to start, or until `hurried`.
        """
        if not self._replicas():
            return ""
        limit_s = self._settings.drain_seconds + REPLACEMENT_LIMIT_S
        deadline = time.monotonic() + limit_s
        argv = [sys.executable, "-m", "cluster.ray_runtime.leave_node", self._head, self._id, str(limit_s + GRACE_S)]
        try:
            status = run_to_end(
                argv,
                env=self._env,
                log_file=self._log_file,
                cwd=ROOT,
                append=True,
                timeout_s=ANNOUNCE_LIMIT_S,
                given_up=hurried,
            )
        except subprocess.TimeoutExpired:
            return "" if hurried() else "the head does not answer"
        if status != 0:
            return tail(self._log_file, 1).strip() or "the head does not answer"
        while self._replicas() and not hurried() and self.is_alive():
            if time.monotonic() > deadline:
                return f"replicas are still here after {limit_s:.0f} s"
            time.sleep(LOOK_S)
        return ""

    def _replicas(self) -> list[Identity]:
        """Serve replicas on this node."""
        return [one for one in processes.find(self._paths) if processes.title(one).startswith("ray::ServeReplica")]

    def is_alive(self) -> bool:
        """Whether the raylet lives; without it nothing of the node does."""
        return self._raylet is not None and self._raylet.is_alive()

    def stop(self) -> list[Identity]:
        """End every Ray process of this checkout. Returns who did not end."""
        self._raylet = None
        return node.stop(self._paths)

    def _find(self) -> Identity:
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if command and Path(command[0]).name == "raylet" and str(self._paths.ray) in " ".join(command):
                identity = Identity.of(process.pid)
                if identity is not None:
                    return identity
        raise ServiceError(f"Ray started, but its raylet is not to be found; see {self._log_file}")
