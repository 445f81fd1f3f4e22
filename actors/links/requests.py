"""The asking half of a link: requests by number, each answered once, or failed in time."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from actors.links.link import LinkFull

OVERHEAD_BYTES: Final = 160
"""What an operation weighs in the up-buffer beside its payload."""

Op = TypeVar("Op")


class Send(Protocol):
    """`Link.send`."""

    def __call__(self, operation: Any, size: int, *, may_expire: bool = True) -> None:
        """Raises LinkFull."""


@dataclass(slots=True)
class Asked(Generic[Op]):
    """One request that is not answered yet. `since` is on the event loop's clock."""

    number: int
    op: Op
    future: asyncio.Future[Any]
    since: float


class Requests(Generic[Op]):
    """What one process has asked one shard. `full()` and `late(message)` make the errors that callers see."""

    def __init__(
        self,
        send: Send,
        numbers: Iterator[int],
        *,
        within_s: float,
        full: Callable[[], Exception],
        late: Callable[[str], Exception],
    ) -> None:
        self.asked: dict[int, Asked[Op]] = {}
        """By number, in the order of asking."""
        self._send = send
        self._numbers = numbers
        self._within_s = within_s
        self._full = full
        self._late = late

    def ask(self, make: Callable[[int], Op], size: int = 0) -> Asked[Op]:
        """Send a request with `size` bytes of payload; its future has the answer, or fails in time."""
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        op = make(number)
        try:
            self._send(op, size + OVERHEAD_BYTES)
        except LinkFull:
            raise self._full() from None
        asked = self.asked[number] = Asked(number, op, loop.create_future(), loop.time())
        return asked

    def answer(self, number: int, result: Any) -> None:
        """The answer came. An unknown number is one that was failed or given up before."""
        asked = self.asked.pop(number, None)
        if asked is not None and not asked.future.done():
            asked.future.set_result(result)

    def fail(self, number: int, error: Exception) -> None:
        """The shard refused."""
        asked = self.asked.pop(number, None)
        if asked is not None and not asked.future.done():
            asked.future.set_exception(error)

    def forget(self, number: int) -> None:
        """Nobody waits for it any more."""
        self.asked.pop(number, None)

    def expire(self, numbers: Iterable[int]) -> None:
        """The link could not send these."""
        for number in numbers:
            self.fail(number, self._late("the shard cannot be reached"))

    def check(self, now: float) -> None:
        """Fail what has waited too long, and forget what its caller gave up."""
        limit = now - self._within_s
        while self.asked:
            asked = next(iter(self.asked.values()))
            if asked.since > limit and not asked.future.done():
                return
            self.fail(asked.number, self._late("the shard did not answer"))

    def open(self, now: float) -> Iterator[Asked[Op]]:
        """Requests that are still in time: to be sent again to a shard that knows nothing of them."""
        for asked in self.asked.values():
            if asked.since > now - self._within_s:
                yield asked
