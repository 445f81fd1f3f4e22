from uuid import uuid4

from sqlalchemy import text

from db.session_events import service
from tasks.session_events import analytics
from tests.fixtures.roster import enters, roster_of


async def test_users_that_are_ours_are_named(database, database_url):
    ours = str(uuid4())
    async with roster_of(database_url, "h1") as store:
        await store.record("h1", 1, [enters("c1", user=ours), enters("c2", user="of another issuer")])
    async with database.transaction() as session:
        await analytics.count(session, await service.after(session, 0, limit=9))
        rows = (await session.execute(text("SELECT user_id, payload FROM app.events ORDER BY id"))).all()
    assert [str(row.user_id) for row in rows] == [ours, "None"]
    assert [row.payload["client"] for row in rows] == ["c1", "c2"]
