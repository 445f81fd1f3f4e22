"""What transactions have published and nobody has relayed yet: for operators."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_BACKLOG = text(
    """
    SELECT count(*) AS publications, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_s
    FROM app.outbox
    """
)


async def outbox_backlog(session: AsyncSession) -> tuple[int, float]:
    """How many publications wait, and for how many seconds the oldest has. A relayed one leaves the table."""
    row = (await session.execute(_BACKLOG)).one()
    return row.publications, max(0.0, row.oldest_s)
