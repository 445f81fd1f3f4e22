"""Log files for people: JSON lines of our processes merged by time and laid out, other files line by line."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cluster.log_files import CONTROL

ERRORS: Final = frozenset({"error", "critical"})
FOLLOW_S: Final = 0.25
BLOCK: Final = 65_536
TAIL_BYTES: Final = 4 * 2**20
"""So much of the end of a file is looked at for its last lines, at most."""

LAID_OUT: Final = frozenset({"timestamp", "level", "event", "exception", "stack", "process", "pid", "node"})
"""Fields that have their place, or are in the name of the file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a log. `at` is ISO 8601 in UTC, and empty where a file does not say it."""

    at: str
    level: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether something went wrong."""
        return self.level in ERRORS


def source_of(path: Path) -> str:
    """How a file is called on the screen: `api[4711]` for a process, else its name."""
    process, _, pid = path.name.partition(".log")[0].rpartition("-")
    return f"{process}[{pid}]" if process and pid.isdigit() else path.stem


def parse(line: str, source: str) -> Record:
    """A line as a person reads it. What is no JSON of ours stays as it is, behind the name of its source."""
    try:
        fields: Any = json.loads(line) if line.startswith("{") else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or "event" not in fields:
        return Record("", "", f"{source}: {_printable(line)}")
    at, level = str(fields.get("timestamp", "")), str(fields.get("level", ""))
    clock = at.partition("T")[2][:12].rstrip("Z+")
    rest = " ".join(f"{name}={_shown(value)}" for name, value in fields.items() if name not in LAID_OUT)
    text = f"{clock:<12} {level.upper():<8} {source:<17} {_printable(str(fields['event']))}  {rest}".rstrip()
    for name in ("exception", "stack"):
        if fields.get(name):
            text += "".join(f"\n    {_printable(each)}" for each in str(fields[name]).splitlines())
    return Record(at, level, text)


def last_records(path: Path, count: int, *, errors_only: bool = False) -> list[Record]:
    """The last `count` lines of a file, or of its errors. Empty when it cannot be read."""
    source = source_of(path)
    records = [parse(line, source) for line in _last_lines(path, None if errors_only else count)]
    return [record for record in records if record.is_error or not errors_only][-count:]


def merged(paths: Sequence[Path], count: int, *, errors_only: bool = False) -> list[Record]:
    """The last lines of several processes, in the order in which they were said."""
    found = [record for path in paths for record in last_records(path, count, errors_only=errors_only)]
    return sorted(found, key=lambda record: record.at)


def follow(files: Callable[[], Sequence[Path]], *, errors_only: bool = False) -> Iterator[list[Record]]:
    """What is written from now on, also to files that appear later; for ever, an empty list when there is nothing."""
    readers = {path: _Reader(path, from_end=True) for path in files()}
    while True:
        found: list[Record] = []
        for path in files():
            reader = readers.setdefault(path, _Reader(path, from_end=False))
            source = source_of(path)
            found.extend(parse(line, source) for line in reader.lines())
        yield sorted((one for one in found if one.is_error or not errors_only), key=lambda record: record.at)


def wait() -> None:
    """Between two looks of `follow`: files of other processes are followed by looking, as `tail -F` does."""
    time.sleep(FOLLOW_S)


class _Reader:
    """Reads on in a file that grows, and is replaced when it is full."""

    def __init__(self, path: Path, *, from_end: bool) -> None:
        self._path = path
        self._inode, size = _stat(path)
        self._position = size if from_end else 0

    def lines(self) -> list[str]:
        inode, size = _stat(self._path)
        if inode != self._inode or size < self._position:
            self._inode, self._position = inode, 0
        if size == self._position:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read(TAIL_BYTES)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode("utf-8", "replace").splitlines()


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size


def _last_lines(path: Path, count: int | None) -> list[str]:
    """Reads blocks from the end until there are enough lines; with `count` None, as much as is allowed."""
    data = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, 2)
            while position > 0 and len(data) < TAIL_BYTES and (count is None or data.count(b"\n") <= count):
                step = min(BLOCK, position)
                position -= step
                file.seek(position)
                data = file.read(step) + data
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").split("\n")
    if position > 0:
        lines = lines[1:]  # the first one is cut
    lines = [line for line in lines if line]
    return lines if count is None else lines[-count:]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = _printable(text)
    return json.dumps(text) if " " in text and isinstance(value, str) else text


def _printable(text: str) -> str:
    """No control character of a log reaches the terminal."""
    return text.translate(CONTROL).replace("\n", "\\n")
