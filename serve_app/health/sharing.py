"""One look at the parts for everybody who asks.

Anybody may ask `/health`, as often as they like, and a look costs a database connection and calls to every shard host.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cluster.logging import get_logger
from serve_app.health.schemas import Check

MAX_AGE_S = 1.0
"""What was found serves everybody for so long: as often as probes ask, and one look a second costs nothing."""

Look = Callable[[], Awaitable[Mapping[str, "Finding"]]]

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one part. Why it is not healthy is for the log alone: the kind of reason, and all of it."""

    check: Check
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of all parts, and when they were looked at."""

    checks: Mapping[str, Check]
    looked_at: datetime


class SharedLook:
    """One look at a time, whose findings all are told who ask meanwhile, or before they are too old."""

    def __init__(self, look: Look, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._found: Findings | None = None
        self._fresh_until = 0.0
        self._looking: asyncio.Task[Findings] | None = None
        self._reasons: dict[str, str] = {}

    async def ask(self) -> Findings:
        """The findings of a look that is under way, or ended less than MAX_AGE_S seconds ago.

        Whoever stops waiting ends nobody else's look.
        """
        if self._found is not None and self._clock() < self._fresh_until:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._begin(), name="health")
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """End a look that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _begin(self) -> Findings:
        looked_at = datetime.now(UTC)
        found = await self._look()
        for part, finding in found.items():
            self._note(part, finding)
        self._found = Findings({part: finding.check for part, finding in found.items()}, looked_at)
        self._fresh_until = self._clock() + MAX_AGE_S
        return self._found

    def _note(self, part: str, finding: Finding) -> None:
        """Log what has changed: probes ask for ever, and would fill the log with an outage."""
        before = self._reasons.get(part, "")
        if finding.reason == before:
            return
        self._reasons[part] = finding.reason
        if finding.reason:
            logger.warning("health check failed", part=part, error=finding.error)
        else:
            logger.info("health check passes again", part=part)
