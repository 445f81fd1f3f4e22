"""What happens after a commit of a job: the same shortcuts that requests have."""

from collections.abc import Sequence

from actors.brokers import handle as brokers
from actors.caches.contract import CacheClient
from actors.jobs import handle as jobs
from db.effects import CacheInvalidated, JobsEnqueued, PublicationsQueued, enqueued
from db.session import Database


def register(database: Database, *, cache: CacheClient | None = None) -> None:
    """Wake, poke and invalidate after each transaction of this database object.

    Without a `cache` (a short-lived worker has none) cache shards find the invalidation rows by themselves.
    """

    async def wake(effects: Sequence[JobsEnqueued]) -> None:
        await jobs.wake(enqueued(effects))

    async def poke(effects: Sequence[PublicationsQueued]) -> None:
        await brokers.poke(sorted({channel for effect in effects for channel in effect.channels}))

    async def invalidate(effects: Sequence[CacheInvalidated]) -> None:
        if cache is not None:
            keys = sorted({key for effect in effects for key in effect.keys})
            tags = sorted({tag for effect in effects for tag in effect.tags})
            await cache.invalidate(keys=keys, tags=tags)

    database.on_commit(JobsEnqueued, wake)
    database.on_commit(PublicationsQueued, poke)
    database.on_commit(CacheInvalidated, invalidate)
