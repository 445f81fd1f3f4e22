"""What the daemon says while it works: one JSON object per line, so that a detached `up` can follow it."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

State = Literal["begin", "note", "done", "failed", "ready", "stopped"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one part of the stack."""

    state: State
    step: str
    text: str = ""
    seconds: float = 0.0


Listener = Callable[[Event], None]


class Progress:
    """Collects events of several threads, in order, and hands them on."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}

    def listen(self, listener: Listener) -> None:
        """Tell one more, from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def begin(self, step: str, text: str = "") -> None:
        """A step starts."""
        self._began[step] = time.monotonic()
        self._emit(Event("begin", step, text))

    def note(self, step: str, text: str) -> None:
        """Something worth showing during a long step."""
        self._emit(Event("note", step, text, self._elapsed(step)))

    def done(self, step: str, text: str = "") -> None:
        """A step ended well."""
        self._emit(Event("done", step, text, self._elapsed(step)))

    def failed(self, step: str, text: str) -> None:
        """A step, and with it the start, failed."""
        self._emit(Event("failed", step, text, self._elapsed(step)))

    def end(self, state: Literal["ready", "stopped"]) -> None:
        """The stack as a whole."""
        self._emit(Event(state, "stack"))

    def _elapsed(self, step: str) -> float:
        return round(time.monotonic() - self._began.get(step, time.monotonic()), 2)

    def _emit(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                # A full disk, or a terminal that has gone: no reason to end what is being told of.
                with contextlib.suppress(OSError):
                    listener(event)


class ProgressFile:
    """Writes events to a file, which `follow` reads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = file.open("w", buffering=1)

    def __call__(self, event: Event) -> None:
        """Listener."""
        self._out.write(json.dumps(asdict(event)) + "\n")


def read_from(file: Path, position: int) -> tuple[list[Event], int]:
    """The complete events after a byte position, and the next position."""
    try:
        with file.open("rb") as source:
            source.seek(position)
            data = source.read()
    except FileNotFoundError:
        return [], position
    complete = data[: data.rfind(b"\n") + 1]
    return [Event(**json.loads(line)) for line in complete.splitlines()], position + len(complete)
