"""What one process tells one shard without waiting for an answer, and which must arrive all the same: at least once.

A notice is kept until the shard has said that it took it. Meanwhile it is sent again to every new incarnation, goes
along when its bucket moves, and is repeated when nothing is heard. A shard takes each number of a process once, so only
an incarnation that does not know of the last one can carry a notice out a second time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from actors.brokers.operations import Departed
from actors.links.placement import bucket_of
from actors.links.requests import Send

REPEAT_S: Final = 5.0
"""A shard refuses what waits for a move for 2.5 s; by then it has answered, or the notice must come again."""


@dataclass(slots=True)
class Notice:
    """One notice that the shard has not taken yet. `since` is on the event loop's clock."""

    op: Departed
    size: int
    since: float


class Notices:
    """The notices of one process to one shard."""

    def __init__(self, send: Send) -> None:
        self.open: dict[int, Notice] = {}
        """By number, in the order of sending."""
        self._send = send

    def tell(self, op: Departed, size: int, now: float) -> None:
        """Send a notice, and go on until it is taken."""
        self.open[op.request] = Notice(op, size, now)
        self._send(op, size, may_expire=False)

    def taken(self, number: int) -> None:
        """The shard has it."""
        self.open.pop(number, None)

    def again(self, now: float) -> None:
        """The shard knows nothing of us: tell it everything that was not taken."""
        for notice in self.open.values():
            notice.since = now
            self._send(notice.op, notice.size, may_expire=False)

    def check(self, now: float) -> None:
        """Repeat what has not been taken for long."""
        for number in [number for number, notice in self.open.items() if notice.since <= now - REPEAT_S]:
            notice = self.open.pop(number)
            self.tell(notice.op, notice.size, now)

    def take_away(self, buckets: Collection[int]) -> dict[int, Notice]:
        """Those about these buckets: another shard owns them now."""
        leaving = [number for number, notice in self.open.items() if bucket_of(notice.op.channel) in buckets]
        return {number: self.open.pop(number) for number in leaving}

    def bring(self, notices: dict[int, Notice], now: float) -> None:
        """Go on with these here."""
        for notice in notices.values():
            self.tell(notice.op, notice.size, now)
