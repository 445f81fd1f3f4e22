"""Reading orders."""

from uuid import uuid4

import pytest
from sqlalchemy import exc, text

from db.orders import repository
from db.session import Database
from tests.factories.orders import make_order


async def test_a_list_does_not_load_lines_by_accident(database: Database) -> None:
    async with database.transaction() as session:
        await make_order(session)
    async with database.transaction() as session:
        order = (await session.scalars(repository.filtered())).one()
        with pytest.raises(exc.InvalidRequestError):
            _ = order.items


async def test_a_locked_order_is_the_present_one_and_waits_for_nobody_elses(database: Database) -> None:
    async with database.transaction() as session:
        one, two = await make_order(session), await make_order(session)
    async with database.transaction() as holder:
        assert (await repository.locked_order(holder, one.id)) is not None
        async with database.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            assert (await repository.locked_order(other, two.id)) is not None
            with pytest.raises(exc.DBAPIError, match="lock timeout"):
                await repository.locked_order(other, one.id)
            await other.rollback()


async def test_an_unknown_order_is_none(database: Database) -> None:
    async with database.transaction() as session:
        assert await repository.full_order(session, uuid4()) is None
        assert await repository.locked_order(session, uuid4()) is None
