"""What happens after a commit of a job: the same shortcuts that requests have."""

from collections.abc import Sequence

from actors.brokers import handle as brokers
from actors.caches import handle as caches
from actors.jobs import handle as jobs
from db.effects import CacheInvalidated, JobsEnqueued, PublicationsQueued
from db.session import Database


def register(database: Database) -> None:
    """Wake, push and poke after each transaction of this database object."""
    database.on_commit(JobsEnqueued, _wake)
    database.on_commit(CacheInvalidated, _invalidate)
    database.on_commit(PublicationsQueued, _poke)


async def _wake(effects: Sequence[JobsEnqueued]) -> None:
    await jobs.wake(sorted({queue for effect in effects for queue in effect.queues}))


async def _invalidate(effects: Sequence[CacheInvalidated]) -> None:
    keys = sorted({key for effect in effects for key in effect.keys})
    tags = sorted({tag for effect in effects for tag in effect.tags})
    await caches.push(keys=keys, tags=tags)


async def _poke(effects: Sequence[PublicationsQueued]) -> None:
    await brokers.poke(sorted({channel for effect in effects for channel in effect.channels}))
