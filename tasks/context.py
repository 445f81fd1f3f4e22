"""What a handler is given: its arguments, the database, and a line to whoever watches it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from actors.jobs.contract import LeasedJob, Reporter
from cluster.settings import Settings
from db.jobs.lease import LeaseToken, hold, save_checkpoint
from db.jobs.payloads import CHECKPOINT_BYTES, PROGRESS_BYTES, storable
from db.session import Database

SNOOZE_LIMIT_S = 10 * 365 * 86_400
"""What the database's intervals and moments hold by far."""


class JobCancelled(Exception):
    """Somebody cancelled the job, or its lease was given to another attempt: stop and clean up."""


class Refused(Exception):
    """The job can never succeed: trying again is useless."""


class Snooze(Exception):
    """Not yet: call the handler again after `retry_in_s`, at once if that is past. Not counted as an attempt.

    Raises ValueError for what is no number of seconds, or more than ten years of them.
    """

    def __init__(self, retry_in_s: float) -> None:
        if not retry_in_s <= SNOOZE_LIMIT_S:  # not a number is not less, either
            raise ValueError(f"a job is called again within {SNOOZE_LIMIT_S:,} s, not after {retry_in_s}")
        super().__init__(f"again in {retry_in_s:g} s")
        self.retry_in_s = retry_in_s


class JobContext:
    """One attempt, seen from its handler."""

    def __init__(self, job: LeasedJob, settings: Settings, database: Database, reporter: Reporter) -> None:
        self.settings = settings
        self.database = database
        self._job = job
        self._reporter = reporter
        self._go_on = True

    @property
    def id(self) -> UUID:
        """The job's id, the same for all attempts."""
        return self._job.id

    @property
    def args(self) -> Mapping[str, Any]:
        """What was enqueued."""
        return self._job.args

    @property
    def user_id(self) -> UUID | None:
        """Who asked for it."""
        return self._job.user_id

    @property
    def attempt(self) -> int:
        """This attempt's number, from 1."""
        return self._job.attempt

    @property
    def last_attempt(self) -> bool:
        """Whether a failure now is final."""
        return self._job.attempt >= self._job.max_attempts

    @property
    def lease_number(self) -> int:
        """Number of the lease: put it into the names of files, so that attempts never meet."""
        return self._job.number

    @property
    def checkpoint(self) -> Mapping[str, Any] | None:
        """What an earlier attempt saved."""
        return self._job.checkpoint

    @property
    def cancelled(self) -> bool:
        """Whether the last report was answered with "stop"."""
        return not self._go_on

    async def progress(self, progress: Mapping[str, Any]) -> None:
        """Report. Stored within seconds, shown to who looks. Raises JobCancelled when the attempt should stop."""
        self._go_on = await self._reporter.report(storable(dict(progress), limit=PROGRESS_BYTES))
        if not self._go_on:
            raise JobCancelled

    async def check(self) -> None:
        """Raise JobCancelled when the attempt should stop."""
        self._go_on = await self._reporter.report(None)
        if not self._go_on:
            raise JobCancelled

    async def publish(self, channel: str, data: Mapping[str, Any]) -> None:
        """Publish to a channel, best effort: for progress. What must not get lost goes through the outbox."""
        await self._reporter.publish(channel, orjson.dumps(data, default=str))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction that holds this attempt's lease. Raises LeaseLost when another attempt has the job."""
        async with self.database.transaction(acting_user_id=self._job.user_id) as session:
            await hold(session, self._job.id, LeaseToken(self._job.owner, self._job.number))
            yield session

    async def save_checkpoint(self, session: AsyncSession, checkpoint: Mapping[str, Any]) -> None:
        """Save a checkpoint in a `transaction()` of this attempt: what that did is done once, however often it runs."""
        await save_checkpoint(session, self._job.id, storable(dict(checkpoint), limit=CHECKPOINT_BYTES))
