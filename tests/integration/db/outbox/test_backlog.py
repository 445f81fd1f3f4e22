"""What operators are told of the outbox."""

from sqlalchemy import text

from db.outbox.backlog import outbox_backlog
from db.outbox.service import publish
from db.session import Database


async def test_what_waits_and_since_when(database: Database) -> None:
    async with database.transaction(read_only=True) as session:
        assert await outbox_backlog(session) == (0, 0.0)
    async with database.transaction() as session:
        await publish(session, "ledger:a", {"n": 1})
        await publish(session, "room:b", {"n": 2})
        await session.execute(
            text("UPDATE app.outbox SET created_at = now() - interval '40 s' WHERE channel = 'room:b'")
        )
    async with database.transaction(read_only=True) as session:
        publications, oldest_s = await outbox_backlog(session)
    assert publications == 2
    assert 40 <= oldest_s < 100
