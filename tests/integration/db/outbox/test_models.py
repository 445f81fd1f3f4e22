from sqlalchemy import select, text

from db.outbox.models import OutboxEntry


async def test_the_model_reads_what_sql_publishes(database):
    async with database.transaction() as session:
        await session.execute(text("SELECT app.publish('$room:1', '{\"a\": 1}', '{\"t\": \"v\"}', 'key')"))
        entry = (await session.scalars(select(OutboxEntry))).one()
        assert (entry.channel, entry.namespace, entry.data, entry.attributes, entry.idempotency_key) == (
            "$room:1",
            "room",
            {"a": 1},
            {"tags": {"t": "v"}},
            "key",
        )
        assert entry.position is None, "given at commit"
    async with database.transaction() as session:
        entry = (await session.scalars(select(OutboxEntry))).one()
        assert entry.position is not None
