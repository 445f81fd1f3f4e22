"""The front end: installed when its lock file changed, built when its sources changed, served by Next's own server."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime.environment import MARKER
from cluster.services.errors import ServiceError, tail
from cluster.services.process import ManagedProcess, run_to_end
from cluster.settings import ROOT
from cluster.stack.checks import node_version
from cluster.stack.progress import Progress

STEP = "Front end"
FRONTEND = ROOT / "frontend"
SOURCES = (
    *("src", "public", "scripts", "package.json", "package-lock.json"),
    *("next.config.ts", "tsconfig.json", "postcss.config.mjs"),
)


class Frontend:
    """Install, build, serve."""

    def __init__(self, paths: Paths, ports: Ports, env: Mapping[str, str], *, folder: Path = FRONTEND) -> None:
        self.folder = folder
        self.restarts = 0
        self._paths, self._ports = paths, ports
        self._log_file = paths.logs / "frontend.log"
        self._build_log = paths.logs / "frontend-build.log"
        self._process = ManagedProcess("frontend", paths.run / "frontend.json")
        self._development = False
        own = {
            "PORT": str(ports.frontend),
            "MOBULA_FRONTEND_HOST": "127.0.0.1",
            "MOBULA_API_ORIGIN": f"http://127.0.0.1:{ports.http}",
            "NEXT_TELEMETRY_DISABLED": "1",
        }
        self._server_env = {**_only(env, ANYBODY | SERVER, ("LC_",)), **own}
        self._npm_env = {
            **_only(env, ANYBODY | NPM, ("LC_", "npm_config_", "NPM_", "NEXT_PUBLIC_")),
            **own,
            "CI": "true",
        }

    def install(self, progress: Progress) -> None:
        """`npm ci`, unless node_modules comes from this very lock file and Node.

        A registry that lacks some platform's optional package makes a lock file that `npm ci` refuses (EUSAGE);
        `npm install` takes the same versions and hashes from it, and `--no-save` leaves it as it is.
        """
        digest = _digest([self.folder / "package-lock.json"], extra=str(node_version()))
        mark = self.folder / "node_modules" / ".mobula"
        if _read(mark) == digest:
            return
        progress.note(STEP, "installing packages (npm ci)")
        common = ["--no-audit", "--no-fund", "--prefer-offline"]
        try:
            self._run(["npm", "ci", *common])
        except ServiceError:
            if "EUSAGE" not in _read(self._build_log):
                raise
            progress.note(STEP, "installing packages (npm install: the lock file lacks other platforms)")
            self._run(["npm", "install", "--no-save", *common])
        mark.write_text(digest)

    def build(self, progress: Progress) -> None:
        """`npm run build`, unless the last build was made from these very sources."""
        digest = _digest(self.folder / name for name in SOURCES)
        mark = self.folder / ".next" / ".mobula"
        if _read(mark) == digest and self._server.exists():
            return
        progress.note(STEP, "building (npm run build)")
        self._run(["npm", "run", "build"])
        if not self._server.exists():
            raise ServiceError(f"the build made no {self._server}; see {self._build_log}")
        mark.write_text(digest)

    def start(self, *, development: bool = False) -> None:
        """Start the server; `wait` says when it answers."""
        self._development = development
        left = self._process.recorded()
        if left is not None:
            left.end()
        self._launch()

    def ensure_running(self) -> bool:
        """Restart the server when it has died. Returns whether it had to."""
        if self._process.is_running():
            return False
        self.restarts += 1
        self._launch()
        return True

    def is_running(self) -> bool:
        """Whether the server lives."""
        return self._process.is_running()

    @property
    def pid(self) -> int | None:
        """The server's pid while it lives."""
        return self._process.pid

    def stop(self) -> None:
        """End the server, also one that an earlier command left behind."""
        if not self._process.is_running():
            left = self._process.recorded()
            if left is None:
                return
            self._process.adopt(left)
        self._process.stop()

    @property
    def last_words(self) -> str:
        """The end of the server's log."""
        return tail(self._log_file)

    @property
    def _server(self) -> Path:
        return self.folder / ".next" / "standalone" / "server.js"

    def _launch(self) -> None:
        if self._development:
            script = self.folder / "node_modules" / "next" / "dist" / "bin" / "next"
            argv = ["node", str(script), "dev", "--hostname", "127.0.0.1", "--port", str(self._ports.frontend)]
            env = {**self._server_env, "NODE_ENV": "development"}
        else:
            argv = ["node", str(self._server)]
            env = {**self._server_env, "NODE_ENV": "production", "HOSTNAME": "127.0.0.1"}
        self._process.launch(argv, log_file=self._log_file, env=env, cwd=self.folder)

    def _run(self, argv: list[str]) -> None:
        self._build_log.parent.mkdir(parents=True, exist_ok=True)
        if run_to_end(argv, env=self._npm_env, log_file=self._build_log, cwd=self.folder) != 0:
            shown = " ".join(argv[:3])
            raise ServiceError(f"{shown} failed; the end of {self._build_log}:\n{tail(self._build_log, 15)}")


ANYBODY = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"),
        *("NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", MARKER),
    }
)
"""What Node and npm get of the environment: an allow-list, because each new setting would otherwise be a new leak."""

SERVER = frozenset({"REALTIME_PUBLIC_URL", "FRONTEND_TOKEN", "MOBULA_TRUST_PROXY", "ENVIRONMENT"})
"""Beside it, what the front end's server reads. Its token is the one secret that it holds (`names.FRONTEND_HEADER`)."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
NPM = frozenset({*_PROXIES, *map(str.lower, _PROXIES), "NODE_AUTH_TOKEN", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"})
"""Beside it, what npm needs to reach its registry: scripts of packages run with this, and get no secret of ours."""


def _only(env: Mapping[str, str], names: frozenset[str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name in names or name.startswith(prefixes)}


def _digest(paths: Iterable[Path], *, extra: str = "") -> str:
    """A hash over the names and contents of files and folders."""
    digest = hashlib.sha256(extra.encode())
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digest.update(os.fsencode(file) + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
