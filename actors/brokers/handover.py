"""Buckets come and go between two commits, so that nothing of them is ever in flight."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from db.streams.errors import Ambiguous, StreamError


@dataclass(slots=True)
class Gift:
    """Buckets for an incarnation of another shard."""

    buckets: list[int]
    shard: int
    owner: str
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Handover:
    """What a committer does for moves, in its own turn. `wake` begins one soon."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._gifts: list[Gift] = []
        self._taking: list[asyncio.Future[None]] = []

    async def give(self, buckets: list[int], shard: int, owner: str) -> None:
        """Give frozen buckets away. Raises StreamError when it is not known to have happened.

        What is queued for them is dropped: it is not committed, and whoever sent it sends it to the new owner.
        """
        gift = Gift(buckets, shard, owner)
        self._gifts.append(gift)
        self._wake()
        await gift.done

    async def take_again(self) -> None:
        """Take what is ours according to the rows. Raises StreamError when that fails."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._taking.append(done)
        self._wake()
        await done

    async def turn(self, give: Callable[[Gift], Awaitable[None]], take: Callable[[], Awaitable[None]]) -> None:
        """Do what was asked for. A failure is told to who asked, and raised."""
        while self._gifts:
            gift = self._gifts.pop(0)
            await _tell([gift.done], give(gift))
        if self._taking:
            waiting, self._taking = self._taking, []
            await _tell(waiting, take())

    def fail(self) -> None:
        """There will be no turn."""
        for done in [gift.done for gift in self._gifts] + self._taking:
            if not done.done():
                done.set_exception(Ambiguous("the shard stops"))
        self._gifts, self._taking = [], []


async def _tell(waiting: list["asyncio.Future[None]"], work: Awaitable[None]) -> None:
    error: StreamError | None = None
    try:
        await work
    except StreamError as reason:
        error = reason
        raise
    except BaseException:
        error = Ambiguous("the turn did not come to its end")
        raise
    finally:
        for done in waiting:
            if not done.done() and error is not None:
                done.set_exception(error)
            elif not done.done():
                done.set_result(None)
