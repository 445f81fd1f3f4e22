"""The signals that stop what runs here until somebody stops it."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

IGNORABLE = (signal.SIGINT, signal.SIGHUP)
"""What a terminal sends. SIGTERM comes from `down`, and is never meant for somebody else."""


def catch(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Call this on each of them, except on those that whoever started us had ignored: `nohup` means that. Returns what
    was there before.
    """
    return {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if number not in IGNORABLE or signal.getsignal(number) is not signal.SIG_IGN
    }


def restore(before: dict[signal.Signals, Any]) -> None:
    """As it was before `catch`."""
    for number, handler in before.items():
        signal.signal(number, handler)
