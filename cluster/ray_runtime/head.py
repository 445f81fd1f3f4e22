"""Ray's head node: started once, its GCS brought back whenever it dies, ended without `ray stop`.

With RocksDB storage a GCS that comes back on the same port, with the same arguments and environment, carries on:
actors, replicas and open sockets never notice (DESIGN §5, 22). A dead raylet takes every process of its node along, so
then the whole node is started anew.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node
from cluster.ray_runtime.environment import install_haproxy_wrapper
from cluster.services.errors import ServiceError, tail
from cluster.services.process import Identity
from cluster.settings import Settings

ATTEMPTS = 3
"""A raylet whose agents import for longer than 15 s gives up; the second time everything is in the page cache."""


@dataclass(slots=True)
class _Relaunchable:
    """A process that we can start again exactly as it was."""

    identity: Identity
    argv: list[str]
    env: dict[str, str]
    cwd: str
    child: "subprocess.Popen[bytes] | None" = None

    def is_alive(self) -> bool:
        if self.child is not None:
            self.child.poll()  # reap it, or it stays a zombie
        return self.identity.is_alive()


class RayHead:
    """The head node of this checkout."""

    def __init__(self, settings: Settings, paths: Paths, ports: Ports, env: Mapping[str, str]) -> None:
        self.address = f"{settings.node_address}:{ports.service('gcs')}"
        self.gcs_restarts = 0
        self._settings, self._paths, self._ports, self._env = settings, paths, ports, dict(env)
        self._gcs: _Relaunchable | None = None
        self._raylet: Identity | None = None
        self._log_file = paths.logs / "ray-start.log"

    def start(self, given_up: Callable[[], bool] = lambda: False) -> None:
        """Start the node, unless it is given up meanwhile. Raises ServiceError with what Ray said."""
        install_haproxy_wrapper(self._settings, self._paths)
        parameters = self._paths.run / "ray-head.json"
        parameters.write_text(json.dumps(self._parameters()))
        for attempt in range(ATTEMPTS):
            self._tidy()
            if node.launch(parameters, self._env, self._log_file, given_up):
                self._find()
                return
            left = self.stop()
            if left or given_up() or attempt == ATTEMPTS - 1:
                break
        raise ServiceError(f"Ray does not start; the end of {self._log_file}:\n{tail(self._log_file, 15)}")

    def ensure_gcs(self) -> bool:
        """Bring the GCS back when it has died. Returns whether it had to."""
        gcs = self._gcs
        if gcs is None or gcs.is_alive():
            return False
        self.gcs_restarts += 1
        log_file = self._paths.logs / "gcs.log"
        with log_file.open("ab") as log:
            gcs.child = subprocess.Popen(
                gcs.argv,
                env=gcs.env,
                cwd=gcs.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        identity = Identity.of(gcs.child.pid)
        if identity is not None:
            gcs.identity = identity
        return True

    def is_node_alive(self) -> bool:
        """Whether the raylet lives; without it nothing of the node does."""
        return self._raylet is not None and self._raylet.is_alive()

    @property
    def gcs_pid(self) -> int | None:
        """The GCS's pid while it lives."""
        return self._gcs.identity.pid if self._gcs is not None and self._gcs.is_alive() else None

    def stop(self, *, spare: tuple[int, ...] = ()) -> list[Identity]:
        """End every Ray process of this checkout, HAProxy included. Returns who did not end."""
        self._gcs = self._raylet = None
        return node.stop(self._paths, spare=spare)

    def _parameters(self) -> dict[str, object]:
        port = self._ports.service
        return {
            **node.parameters(self._settings, self._paths, self._ports),
            "gcs_server_port": port("gcs"),
            "include_dashboard": self._settings.ray_dashboard,
            "dashboard_port": port("dashboard"),
        }

    def _find(self) -> None:
        """Learn the GCS's arguments and environment, and who the raylet is, from the processes themselves."""
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if not command or str(self._paths.ray) not in " ".join(command):
                continue
            identity = Identity.of(process.pid)
            if identity is None:
                continue
            name = Path(command[0]).name
            if name == "gcs_server":
                self._gcs = _Relaunchable(identity, command, process.environ(), process.cwd())
            elif name == "raylet":
                self._raylet = identity
        if self._gcs is None or self._raylet is None:
            raise ServiceError(f"Ray started, but its GCS or raylet is not to be found; see {self._log_file}")

    def _tidy(self) -> None:
        """A new cluster starts with an empty GCS."""
        shutil.rmtree(self._paths.gcs_storage, ignore_errors=True)
        node.tidy(self._paths)
