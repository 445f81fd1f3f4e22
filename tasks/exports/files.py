"""Write one file: hashed while it is written, under its name only when it is complete."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

SUFFIX = ".partial"
MODE = 0o600
BUFFER_BYTES = 1 << 20


class HashedFile:
    """A file being written. `keep` makes it real; leaving the block without it deletes what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._digest = hashlib.sha256()
        self._partial = path.with_name(path.name + SUFFIX)
        # People's orders: nobody else's to read on a machine that has other users, whatever the umask.
        self._partial.unlink(missing_ok=True)
        self._file = os.fdopen(os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb", BUFFER_BYTES)

    @property
    def sha256(self) -> str:
        """Sum of what was written."""
        return self._digest.hexdigest()

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more (asked by pyarrow)."""
        return self._file.closed

    def write(self, data: bytes | memoryview) -> int:
        """Append."""
        self._digest.update(data)
        written = self._file.write(data)
        self.bytes += written
        return written

    def flush(self) -> None:
        """Hand buffered bytes to the system."""
        self._file.flush()

    def tell(self) -> int:
        """How much was written."""
        return self.bytes

    def readable(self) -> bool:
        """No."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No: a sum can only be made in order."""
        return False

    def close(self) -> None:
        """Done writing (called by pyarrow too); nothing is kept yet."""
        self._file.close()

    def keep(self) -> None:
        """Everything is written: on disk, then under its name."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self._partial.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file that exists completely or not at all."""
    with HashedFile(path) as file:
        file.write(content)
        file.keep()
