"""The signals that stop what runs here until somebody stops it."""

import signal
from collections.abc import Callable
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


def restore(before: dict[signal.Signals, Any]) -> None:
    """As it was before `catch`."""
    for number, handler in before.items():
        signal.signal(number, handler)
