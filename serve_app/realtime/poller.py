"""Asks the application for the values of one channel's keys, in the turns that the channel's shard gives this process.

Keys that nobody asked for yet are asked for at once, together with those that come in the same moment; the others in
the interval of the namespace. A callback that fails or takes too long is logged and asked again later and later;
clients keep what they have meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog

from actors.brokers.contract import BrokerClient, BrokerError, PollTurn, Publication
from actors.metrics.registry import SHARED_POLL_DURATION, SHARED_POLL_VALUES, SHARED_POLLS
from serve_app.realtime.handlers import PollCallback
from serve_app.realtime.shared_poll import Change, SharedPoll

DEADLINE_S: Final = 10.0
"""A call that takes longer has failed."""

TIMED_OUT: Final = "timed out"

GATHER_S: Final = 0.02
"""Keys that were never asked for wait so long for others."""

BACKOFF_MAX_S: Final = 60.0

LINGER_S: Final = 60.0
"""A poll that nobody needs is remembered so long: coming and going must not make it ask more often."""

logger = structlog.get_logger(__name__)


class Poller:
    """Asks for one channel as long as keys are tracked in it, and not more often than it should after that."""

    def __init__(
        self,
        poll: SharedPoll,
        callback: PollCallback,
        brokers: BrokerClient,
        write: Callable[[SharedPoll, Sequence[Change]], None],
        idle: Callable[[SharedPoll], None],
        jitter: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.poll = poll
        self._callback = callback
        self._brokers = brokers
        self._write = write
        self._idle = idle
        self._jitter = jitter
        self._loop = loop
        self._interval_s = poll.options.interval_ms / 1000
        self._next_round = loop.time() + GATHER_S
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Keys have come or gone: there may be something to do earlier. While a call runs, it waits."""
        if self._task is not None:
            return
        now, at = self._loop.time(), self._next_round
        if not self.poll.keys:
            at = min(at, now + LINGER_S)
        elif self._has_fresh:
            at = min(at, now + GATHER_S)
        if self._timer is None or self._timer.when() > at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._begin, at)

    def relieve(self) -> None:
        """The backend answers another process: there is no reason to wait longer than usual."""
        if self._failures:
            self._failures = 0
            self._next_round = min(self._next_round, self._loop.time() + self._interval_s)

    @property
    def _has_fresh(self) -> bool:
        return bool(self.poll.fresh) and not self._failures

    async def stop(self) -> None:
        """End the call that is under way."""
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _begin(self, at: float) -> None:
        self._timer = None
        is_round = at >= self._next_round
        if not self.poll.keys:
            self._idle(self.poll)
        elif is_round or self._has_fresh:
            asking = self._ask(list(self.poll.keys if is_round else self.poll.fresh), is_round=is_round)
            self._task = self._loop.create_task(asking, name=f"shared poll {self.poll.channel}")
            self._task.add_done_callback(self._done)
        else:
            self.wake()

    def _done(self, task: asyncio.Task[None]) -> None:
        if task is self._task:
            self._task = None
            self.wake()

    async def _ask(self, keys: Sequence[str], *, is_round: bool) -> None:
        started, failed, asked = self._loop.time(), "", False
        for tracked in self.poll.batches(keys):
            turn = await self._claim(tracked)
            # What others are asking for comes from them.
            self.poll.asked(key for key in tracked if key not in turn.ask)
            self._write(self.poll, self.poll.learned(turn.values))
            for batch in _batches(turn.ask, self.poll.options.batch_size):
                asked = True
                failed = await self._call(batch) or failed
                if failed == TIMED_OUT:
                    break
            if failed == TIMED_OUT:
                break
        if (asked and is_round) or failed:
            self._brokers.poll_report(self.poll.channel, (), (), end=True, failed=bool(failed))
        if failed:
            self._back_off(failed)
        elif is_round:
            self._failures = 0
            # From the start of one to the start of the next, unless it takes longer than that.
            self._next_round = max(started + self._interval_s, self._loop.time())

    async def _claim(self, tracked: Mapping[str, int]) -> PollTurn:
        try:
            return await self._brokers.poll_claim(self.poll.channel, tracked)
        except BrokerError as reason:
            # Without the shard, every process asks for itself.
            logger.warning("shared_poll_not_shared", channel=self.poll.channel, reason=str(reason))
            return PollTurn(tracked)

    async def _call(self, batch: Mapping[str, int]) -> str:
        """Ask the application. Returns '' or why that failed."""
        poll, callback, began = self.poll, self.poll.options.callback, self._loop.time()
        found: list[Publication] = []
        failed = ""
        try:
            async with asyncio.timeout(DEADLINE_S):
                items = await self._callback(poll.channel, batch)
            found = poll.checked(items)
        except TimeoutError:
            failed = TIMED_OUT
        except Exception as reason:
            # One bad key must not keep the others from their values.
            failed = repr(reason)
            logger.exception("shared_poll_failed", channel=poll.channel, callback=callback)
        else:
            poll.asked(batch)
            found = [each for each in found if each.key in batch]
            self._write(poll, poll.learned(found))
        SHARED_POLLS.labels(callback, "answered" if not failed else failed if failed == TIMED_OUT else "failed").inc()
        SHARED_POLL_DURATION.labels(callback).observe(self._loop.time() - began)
        SHARED_POLL_VALUES.labels(callback).inc(len(found))
        self._brokers.poll_report(poll.channel, batch, found, end=False)
        return failed

    def _back_off(self, reason: str) -> None:
        self._failures += 1
        delay = min(self._interval_s * 2 ** min(self._failures, 16), max(BACKOFF_MAX_S, self._interval_s))
        delay *= 0.5 + self._jitter() / 2
        self._next_round = self._loop.time() + delay
        logger.warning(
            "shared_poll_backs_off", channel=self.poll.channel, reason=reason, failures=self._failures, delay_s=delay
        )


def _batches(keys: Mapping[str, int], size: int) -> Iterator[Mapping[str, int]]:
    entries = list(keys.items())
    for start in range(0, len(entries), size):
        yield dict(entries[start : start + size])
