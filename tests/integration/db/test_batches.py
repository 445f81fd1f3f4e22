"""A batch is no larger than it may be, and waits for nobody."""

from sqlalchemy import text

from db.batches import delete_batch
from db.session import Database
from tests.fixtures.transactions import in_transaction, rows


async def fill(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO app.cache_invalidations (keys, tags, created_at)"
                " SELECT ARRAY[i::text], '{}', now() - make_interval(mins => i * 60 - 30) FROM generate_series(1, 4) i"
            )
        )


def older(hours: int, limit: int):
    where = "old.created_at < now() - make_interval(hours => :hours)"
    return lambda s: delete_batch(s, "app.cache_invalidations", where, limit=limit, oldest="created_at", hours=hours)


async def left(database: Database) -> list[str]:
    return [key for (key,) in await rows(database, "SELECT keys[1] FROM app.cache_invalidations ORDER BY 1")]


async def test_the_oldest_go_first_and_no_more_than_the_limit(database: Database) -> None:
    await fill(database)
    assert await in_transaction(database, older(2, limit=1)) == 1
    assert await left(database) == ["1", "2", "3"]
    assert await in_transaction(database, older(2, limit=5)) == 1
    assert await left(database) == ["1", "2"]


async def test_a_row_that_somebody_holds_is_left_for_the_next_time(database: Database) -> None:
    await fill(database)
    async with database.transaction() as holder:
        await holder.execute(text("SELECT FROM app.cache_invalidations WHERE keys = '{4}' FOR UPDATE"))
        assert await in_transaction(database, older(2, limit=5)) == 1
        assert await left(database) == ["1", "2", "4"]
    assert await in_transaction(database, older(2, limit=5)) == 1
