"""Deleting what is old, batch by batch: short locks, and no statement that runs into its time limit."""

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

BATCH: Final = 10_000
"""Rows of a batch: its locks are short, and it stays far below the time limit of a statement."""


async def delete_batch(
    session: AsyncSession, table: str, where: str, *, limit: int = BATCH, oldest: str = "", **values: Any
) -> int:
    """Delete rows of `table`, `limit` at most, for which `where` holds. Returns how many; fewer than `limit`: all.

    `table` and `where` are SQL of the caller's own, with the row as `old`; `values` are its parameters. `oldest`: a
    column with an index, by which they go. Rows that somebody holds are left for the next time.
    """
    order = f"ORDER BY old.{oldest} " if oldest else ""
    chosen = f"SELECT old.ctid FROM {table} old WHERE {where} {order}LIMIT :limit FOR UPDATE OF old SKIP LOCKED"  # noqa: S608 - no caller's input
    # An array instead of IN: it is made once, so that no plan can choose again and delete more than `limit`.
    statement = text(f"DELETE FROM {table} WHERE ctid = ANY (ARRAY({chosen}))")  # noqa: S608 - see above
    result = await session.execute(statement, {**values, "limit": limit})
    return int(getattr(result, "rowcount", 0))
