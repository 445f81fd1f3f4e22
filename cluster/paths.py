"""Where this checkout keeps things.

Everything is under `.mobula/` (`MOBULA_HOME`), closed to other users of the machine, except sockets and Ray's session:
those need a path of fewer than about 50 characters, or `bind()` fails. They live in `/tmp/mobula-<uid>/<hash of the
home>`, private to the user and the checkout, and `.mobula/short` links to it.
"""

import contextlib
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

SHORT_BASE = Path("/tmp")  # noqa: S108 - TMPDIR may be too long (macOS); what we make in it is 0700 and checked


@dataclass(frozen=True, slots=True)
class Paths:
    """Every path of one checkout, or of one test stack."""

    home: Path

    @property
    def secrets(self) -> Path:
        """Generated secrets, mode 0600 each."""
        return self.home / "secrets"

    @property
    def state_env(self) -> Path:
        """Addresses and secrets of what `up` started, read by cluster/settings.py."""
        return self.home / "state.env"

    @property
    def ports_file(self) -> Path:
        """The recorded port block."""
        return self.home / "ports.json"

    @property
    def logs(self) -> Path:
        """One file per service."""
        return self.home / "logs"

    @property
    def process_logs(self) -> Path:
        """What our own processes say, one file each."""
        return self.logs / "processes"

    @property
    def run(self) -> Path:
        """Pid records, the daemon's lock and its status."""
        return self.home / "run"

    @property
    def postgres(self) -> Path:
        """Data of the embedded Postgres."""
        return self.home / "data" / "postgres"

    @property
    def valkey(self) -> Path:
        """Data of the embedded Valkey."""
        return self.home / "data" / "valkey"

    @property
    def exports(self) -> Path:
        """Files that exports wrote."""
        return self.home / "exports"

    @property
    def build(self) -> Path:
        """Hashes of what the front end and the environment were last built from."""
        return self.home / "build"

    @property
    def short(self) -> Path:
        """The short private directory. `prepare()` makes it."""
        digest = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:8]
        return SHORT_BASE / f"mobula-{os.getuid()}" / digest

    @property
    def ray(self) -> Path:
        """Ray's temporary directory: sessions, sockets, logs."""
        return self.short / "ray"

    @property
    def gcs_storage(self) -> Path:
        """RocksDB of the GCS; it outlives the GCS process, not the cluster."""
        return self.short / "gcs"

    @property
    def haproxy(self) -> Path:
        """HAProxy's configuration and sockets. Short, because Serve adds a node id of 56 characters."""
        return self.short / "h"

    @property
    def ray_logs(self) -> Path:
        """Ray's logs of the last cluster, once it is gone."""
        return self.logs / "ray"

    def clear_short(self) -> None:
        """Remove the short directory once nothing of this checkout runs. The last cluster's logs move to `ray_logs`."""
        last = self.ray / "session_latest" / "logs"
        if last.is_dir():
            shutil.rmtree(self.ray_logs, ignore_errors=True)
            # A copy, not a move: /tmp is often another file system. Sockets of dead processes are no logs.
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(last.resolve(), self.ray_logs, symlinks=True)
        if not self.short.is_symlink():
            shutil.rmtree(self.short, ignore_errors=True)
        (self.home / "short").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.short.parent.rmdir()  # unless another checkout of this user has something in it

    def prepare(self) -> None:
        """Make the directories, closed to other users of the machine. Raises PermissionError when somebody else holds
        one of them.
        """
        # Root lends Postgres another uid, which must be able to walk to its data, and to look at nothing on the way.
        walked = 0o711 if os.geteuid() == 0 else 0o700
        self.home.parent.mkdir(parents=True, exist_ok=True)
        _closed(self.home, walked)
        _closed(self.home / "data", walked)
        for folder in (self.secrets, self.logs, self.run, self.exports, self.build):
            _closed(folder, 0o700)
        _private(self.short.parent)
        try:
            _private(self.short)
        except FileNotFoundError:  # another checkout of this user has just removed the empty parent
            _private(self.short.parent)
            _private(self.short)
        for folder in (self.ray, self.haproxy):
            folder.mkdir(mode=0o700, exist_ok=True)
        link = self.home / "short"
        if not link.is_symlink() or link.readlink() != self.short:
            link.unlink(missing_ok=True)
            link.symlink_to(self.short)


def _closed(folder: Path, mode: int) -> None:
    """Make a directory with this mode; one that an earlier start left more open is closed."""
    folder.mkdir(mode=mode, exist_ok=True)
    try:
        folder.chmod(mode)
    except PermissionError:
        raise PermissionError(
            f"{folder} belongs to somebody else: give it to the user who runs Mobula, or name another MOBULA_HOME"
        ) from None


def _private(folder: Path) -> None:
    """Make a directory that only we can enter, and refuse one that somebody prepared for us."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else or is no directory: remove it and start again")
    folder.chmod(0o700)
