"""Text search."""

import pytest
from sqlalchemy import select

from db import search
from db.auth.models import User
from db.errors import InvalidInput
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, value


async def test_whether_there_are_trigrams_is_asked_once_per_pool(database: Database) -> None:
    installed = await value(database, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
    async with database.transaction() as session:
        assert await search.has_trigrams(session) is bool(installed)
        assert search._trigrams[database.engine.sync_engine] is bool(installed)


@pytest.mark.parametrize(
    ("query", "found"), [("ADA", ["ada_1"]), ("a_1", ["ada_1"]), ("%", []), ("a%1", []), ("\\", [])]
)
async def test_wildcards_mean_themselves(database: Database, query: str, found: list[str]) -> None:
    async with database.transaction() as session:
        await make_user(session, username="ada_1")
        await make_user(session, username="lin-1")
    async with database.transaction(read_only=True) as session:
        statement = select(User.username).where(search.contains(User.username, query))
        assert list(await session.scalars(statement)) == found


@pytest.mark.parametrize("query", ["", "   ", "x" * 101, "a\x00b"])
async def test_what_cannot_be_searched_for_is_refused(query: str) -> None:
    with pytest.raises(InvalidInput):
        search.check_query(query)


async def test_words_of_four_letters_on_are_forgiven_a_mistake_where_the_server_can(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, username="montgolfier"))
    async with database.transaction(read_only=True) as session:
        close = select(User.username).where(await search.matches(session, "mongolfier", User.username))
        far = select(User.username).where(await search.matches(session, "zeppelin", User.username))
        assert len((await session.scalars(close)).all()) == int(await search.has_trigrams(session))
        assert (await session.scalars(far)).all() == []
