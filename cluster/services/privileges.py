"""As whom a service runs. Postgres refuses uid 0, so root needs another identity for it.

An ordinary user starts it directly. Root tries, in this order:

1. uid 65534 (nobody), when that uid can reach the binaries and the data directory;
2. a user namespace in which root is called 1000 (`unshare --user`): keeps root's access to files;
3. uid 65534 with the binaries copied, and the data kept, where everybody may walk (`/var/tmp/mobula-root-…`).
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
"""The uid and gid that root lends to Postgres; every Unix reserves it for nobody."""

NAMESPACE_PREFIX = ("unshare", "--user", "--map-user=1000", "--map-group=1000")

PUBLIC_ROOT = Path("/var/tmp")  # noqa: S108 - survives reboots and everybody may walk there; our directory in it is private


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """How to start a program under the chosen identity."""

    how: str
    prefix: tuple[str, ...] = ()
    """Goes before the program's own arguments."""
    user: int | None = None
    """Uid (and gid) to change to; None: unchanged."""
    bindir: Path = Path()
    """Where the binaries are for this identity; a copy in the third way."""
    data_dir: Path = Path()
    """Where the data really is; elsewhere only in the third way."""

    def own(self, path: Path) -> None:
        """Give `path`, recursively, to the identity; only root needs it."""
        if os.geteuid() != 0:
            return
        uid = self.user if self.user is not None else 0
        if not path.exists() or path.stat().st_uid == uid:
            return
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder) / name, uid, uid, follow_symlinks=False)
        os.chown(path, uid, uid)


def choose_account(bindir: Path, data_dir: Path) -> ServiceAccount:
    """The first way that works here and leads to the data that there is: which way works may have changed, with a
    folder's mode or a kernel's settings, and a new, empty database instead of the old one would be no answer.

    Raises PermissionError naming the remedies when root has none.
    """
    if os.geteuid() != 0:
        return ServiceAccount("direct", bindir=bindir, data_dir=data_dir)
    elsewhere = _public(data_dir) / "data" / data_dir.name
    here_is_data, elsewhere_is_data = ((place / "PG_VERSION").exists() for place in (data_dir, elsewhere))
    if elsewhere_is_data and not here_is_data:
        return _copied(bindir, data_dir)
    if _nobody_can(bindir / "postgres", data_dir):
        return ServiceAccount("nobody", user=NOBODY, bindir=bindir, data_dir=data_dir)
    if _works([*NAMESPACE_PREFIX, str(bindir / "postgres"), "--version"]):
        return ServiceAccount("namespace", prefix=NAMESPACE_PREFIX, bindir=bindir, data_dir=data_dir)
    if here_is_data and not elsewhere_is_data:
        raise PermissionError(
            f"the data in {data_dir} can no longer be reached by uid {NOBODY}, which Postgres runs as: let it walk "
            f"there (chmod o+x on every folder above it) and read the programs in {bindir}, or remove the data"
        )
    return _copied(bindir, data_dir)


def _public(data_dir: Path) -> Path:
    return PUBLIC_ROOT / f"mobula-root-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:8]}"


def _copied(bindir: Path, data_dir: Path) -> ServiceAccount:
    root = _public(data_dir)
    root.mkdir(mode=0o755, exist_ok=True)
    if root.is_symlink() or root.stat().st_uid != 0:
        raise PermissionError(f"{root} belongs to somebody else; remove it and start again")
    binaries, data = root / "pg", root / "data"
    if not (binaries / "bin" / "postgres").exists():
        shutil.rmtree(binaries, ignore_errors=True)
        shutil.copytree(bindir.parent, binaries, symlinks=True)
    data.mkdir(mode=0o700, exist_ok=True)
    os.chown(data, NOBODY, NOBODY)
    if not _nobody_can(binaries / "bin" / "postgres", data / "x"):
        raise PermissionError(
            "Postgres does not run as root, and neither uid 65534 nor a user namespace works here: "
            "run as an ordinary user, or set DATABASE_URL"
        )
    return ServiceAccount("copied", user=NOBODY, bindir=binaries / "bin", data_dir=data / data_dir.name)


def _nobody_can(postgres: Path, data_dir: Path) -> bool:
    """Whether uid 65534 can run the binary and walk to the data directory."""
    folder = data_dir.parent
    return _works([str(postgres), "--version"], user=NOBODY) and _works(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], user=NOBODY
    )


def _works(argv: list[str], user: int | None = None) -> bool:
    try:
        return (
            subprocess.run(
                argv,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                cwd="/",
                capture_output=True,
                timeout=20,
                check=False,
            ).returncode
            == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False
