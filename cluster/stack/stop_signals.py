"""The signals that stop what runs here until somebody stops it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def catch(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Call this on each of them. Returns what was there before.

    Not on a SIGHUP that is ignored already, which is how `nohup` says that the terminal's end is not ours. SIGINT is
    ignored below every shell that puts something into the background, where Ctrl-C on that shell's script is meant.
    """
    outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if number is not signal.SIGHUP or not outlives_terminal
    }


@contextmanager
def as_interrupt() -> Iterator[None]:
    """The first of them in this block is a KeyboardInterrupt, so that what it started is stopped.

    More of them do not cut that short (a terminal that is closed sends several), except for another Ctrl-C.
    """
    ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        if not ending or number == signal.SIGINT:
            ending = True
            raise KeyboardInterrupt

    before = catch(end)
    try:
        yield
    finally:
        restore(before)


def restore(before: dict[signal.Signals, Any]) -> None:
    """As it was before `catch`."""
    for number, handler in before.items():
        signal.signal(number, handler)
