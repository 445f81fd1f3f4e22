"""Once in a while a process asks its shard whether what it has seen of its channels is all there is.

Breaks are found by the publication after them. Without one, as when the last publication of a quiet channel was lost,
only a comparison finds them: one operation for many channels, spread over the period, and no word of a channel about
which both agree. A channel without history has no position: there the question is only whether the shard knows of us.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.brokers.following import Following, Held
from actors.brokers.items import Behind
from actors.brokers.operations import Compare
from actors.links.requests import OVERHEAD_BYTES, Send

PERIOD_S: Final = 25.0
"""Every channel is compared once in this time."""

CHANNELS_PER_OPERATION: Final = 200


class Comparing:
    """Compares what is followed at one shard."""

    def __init__(self, following: Following, send: Send) -> None:
        self._following = following
        self._send = send
        self._round: list[str] = []
        self._compared = 0
        self._began = 0.0
        self.handlers: Mapping[type, Callable[[Any], None]] = {Behind: self._on_behind}

    def check(self, now: float, *, answers: bool = True) -> None:
        """Compare the part that is due. Called more often than the period.

        A shard that does not answer is asked nothing, as its questions would only gather. Once it does, a round begins.
        """
        if not answers:
            self._round, self._compared, self._began = [], 0, now - PERIOD_S
            return
        if self._compared >= len(self._round) and now >= self._began + PERIOD_S:
            self._round, self._compared, self._began = list(self._following.held), 0, now
        due = int(len(self._round) * min((now - self._began) / PERIOD_S, 1.0))
        while self._compared < due:
            end = min(due, self._compared + CHANNELS_PER_OPERATION)
            self._compare(self._round[self._compared : end])
            self._compared = end

    def _compare(self, channels: list[str]) -> None:
        held = self._following.held
        seen = [(name, held[name].epoch, held[name].offset) for name in channels if name in held]
        positions = [position for position in seen if not held[position[0]].repairing]
        if positions:
            self._send(Compare(positions), OVERHEAD_BYTES + 64 * len(positions), may_expire=False)

    def _on_behind(self, item: Behind) -> None:
        """In the order of the stream: everything that was on its way has arrived before."""
        for channel, epoch, offset, is_registered in item.channels:
            held = self._following.held.get(channel)
            if held is None or held.repairing:
                continue
            if not is_registered:
                self._following.resume_one(channel, held)
            elif not held.epoch:
                held.epoch, held.offset = epoch, offset
            elif _lacks(held, epoch, offset):
                self._following.repair(channel, held)


def _lacks(held: Held, epoch: str, offset: int) -> bool:
    return held.epoch != epoch or held.offset < offset
