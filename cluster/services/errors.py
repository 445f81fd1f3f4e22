"""What can be wrong with a local service, in words that name the remedy."""

from pathlib import Path


class ServiceError(Exception):
    """A service cannot be started, found or kept. The message says what to do."""


def tail(log_file: Path, lines: int = 8, *, since: int = 0) -> str:
    """The last lines of a log, or of what it has beyond so many bytes, indented, for an error message."""
    try:
        text = log_file.read_bytes()[since:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])
