"""One attempt inside an agent: what it reports, and how it is told to stop."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from actors.jobs.contract import Kind, LeasedJob, OutcomeState, ProgressReport, Token

CANCEL_GRACE_S = 3.0
"""A handler that asks whether to go on gets this long to stop by itself; then its coroutine or process is ended."""

STOPPED_LIMIT_S = 30.0
"""A worker's process that is stopped (SIGSTOP) for so long is given up: others may wait for what it has taken."""

WENT_WELL: Final = frozenset[OutcomeState]({"succeeded", "snoozed"})
WAS_WANTED: Final = frozenset[OutcomeState]({"cancelled", "returned"})
"""All other ends are warnings; what a handler raised is an error besides, where it ran."""

logger = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)
"""Asked first: a line that nobody keeps must not cost what one costs."""


@dataclass(slots=True, eq=False)
class Running:
    """An attempt that runs now."""

    job: LeasedJob
    kind: Kind
    publisher: Callable[[str, bytes], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    started_at: float = field(init=False)
    stop_asked_at: float | None = None
    lost: bool = False
    """The lease is another attempt's by now: this one's end is nobody's business."""
    pid: int | None = None
    """Of the worker process, in task mode."""
    stopped_at: float | None = None
    """Since when that process is stopped."""
    progress: dict[str, Any] | None = None
    unsent: bool = False
    publish_failed: bool = False
    """Said once per attempt: while the shards are away, every publication fails."""

    def __post_init__(self) -> None:
        self.started_at = self.clock()

    @property
    def token(self) -> Token:
        """Its lease."""
        return Token(self.job.id, self.job.owner, self.job.number)

    def ask_to_stop(self, *, lost: bool = False) -> None:
        """The handler hears of it when it reports; afterwards it is ended."""
        self.lost = self.lost or lost
        if self.stop_asked_at is None:
            self.stop_asked_at = self.clock()

    @property
    def overstayed(self) -> bool:
        """It was asked to stop, and had its time to."""
        return self.stop_asked_at is not None and self.clock() - self.stop_asked_at >= CANCEL_GRACE_S

    @property
    def timed_out(self) -> bool:
        """It has run longer than its kind may."""
        return self.clock() - self.started_at >= self.kind.timeout_s

    def stands_still(self, stopped: bool) -> bool:
        """Whether its process has been stopped for too long; to be told regularly whether it is stopped now."""
        if not stopped:
            self.stopped_at = None
        elif self.stopped_at is None:
            self.stopped_at = self.clock()
        return self.stopped_at is not None and self.clock() - self.stopped_at >= STOPPED_LIMIT_S

    async def report(self, progress: dict[str, Any] | None) -> bool:
        """Take progress over; True while the attempt should go on (`Reporter`)."""
        if progress is not None:
            self.progress = progress
            self.unsent = True
        return self.stop_asked_at is None

    async def publish(self, channel: str, data: bytes) -> None:
        """Publish to a channel, best effort (`Reporter`): the work goes on whoever cannot hear of it."""
        if self.stop_asked_at is not None:
            return
        try:
            await self.publisher(channel, data)
        except Exception as reason:
            if not self.publish_failed:
                self.publish_failed = True
                logger.warning("job could not publish", job=str(self.job.id), kind=self.job.kind, reason=repr(reason))

    def tell_end(self, state: OutcomeState) -> None:
        """Write one line to the log: at DEBUG for a success of a kind whose successes are no news."""
        if state in WENT_WELL:
            level = logging.INFO if self.kind.kept and self.kind.logged else logging.DEBUG
        else:
            level = logging.INFO if state in WAS_WANTED else logging.WARNING
        if _levels.isEnabledFor(level):
            logger.log(
                level,
                "attempt ended",
                job_id=str(self.job.id),
                job_kind=self.job.kind,
                attempt=self.job.attempt,
                queue=self.job.queue,
                state=state,
                duration_ms=round((self.clock() - self.started_at) * 1000, 1),
            )

    def take_report(self) -> ProgressReport | None:
        """What the owner has not been told yet."""
        if not self.unsent:
            return None
        self.unsent = False
        return ProgressReport(token=self.token, progress=self.progress)
