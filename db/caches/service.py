"""Write invalidations in the transaction that causes them; read them completely, whatever order they commit in."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch
from db.effects import CacheInvalidated
from db.session import record_effect

_INSERT = text("INSERT INTO app.cache_invalidations (keys, tags) VALUES (CAST(:keys AS text[]), CAST(:tags AS text[]))")
_READ = text(
    """
    SELECT i.id, i.keys, i.tags, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon
    FROM (SELECT 1) AS always
    LEFT JOIN app.cache_invalidations i ON i.xid >= CAST(:since AS text)::xid8
    ORDER BY i.id
    """
)
_READ_BY_ALL = (
    "old.created_at < now() - make_interval(secs => :age) AND old.xid < pg_snapshot_xmin(pg_current_snapshot())"
)


@dataclass(frozen=True, slots=True)
class Invalidation:
    """Keys and tags that one transaction made stale."""

    id: int
    keys: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvalidationBatch:
    """What `read_since` saw, and the horizon to hand to the next call."""

    horizon: int
    items: tuple[Invalidation, ...]


async def invalidate(session: AsyncSession, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
    """Record that cached values under these keys and tags are stale once this transaction commits."""
    if not keys and not tags:
        return
    await session.execute(_INSERT, {"keys": list(keys), "tags": list(tags)})
    record_effect(session, CacheInvalidated(keys=tuple(keys), tags=tuple(tags)))


async def read_since(session: AsyncSession, horizon: int) -> InvalidationBatch:
    """Every invalidation that the snapshot with this horizon could not see yet, and some that it could.

    A transaction that had not ended when the last snapshot was taken has an id at or above that snapshot's xmin, so
    nothing is ever missed; callers skip ids they have handled. Start with horizon 0: all rows that are kept.
    """
    rows = (await session.execute(_READ, {"since": str(horizon)})).all()
    items = tuple(Invalidation(row.id, tuple(row.keys), tuple(row.tags)) for row in rows if row.id is not None)
    return InvalidationBatch(horizon=int(rows[0].horizon), items=items)


async def prune(session: AsyncSession, *, older_than_s: float, limit: int = BATCH) -> int:
    """Delete invalidations that every cache shard has had time to read, `limit` at most; returns how many."""
    return await delete_batch(
        session, "app.cache_invalidations", _READ_BY_ALL, limit=limit, oldest="created_at", age=older_than_s
    )
