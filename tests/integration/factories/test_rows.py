"""Every model has a factory, because one serves them all."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from db.auth.models import Membership, User
from db.base import Base
from db.models import metadata
from db.session import Database
from tests.factories.rows import make_row

MODELS = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda model: model.__name__)


def test_no_table_is_left_out() -> None:
    assert {model.__table__.fullname for model in MODELS} == set(metadata.tables)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
async def test_a_row_of_every_model_can_be_made(database: Database, model: type[Base]) -> None:
    async with database.transaction() as session:
        row = await make_row(session, model)
    async with database.transaction(read_only=True) as session:
        assert await session.scalar(select(func.count()).select_from(model)) >= 1
    assert isinstance(row, model)


async def test_named_values_are_kept_and_parents_are_made(database: Database) -> None:
    async with database.transaction() as session:
        row = await make_row(session, Membership)
        user = await session.get(User, row.user_id)
        again = await make_row(session, Membership, user_id=row.user_id)
    assert user is not None
    assert again.user_id == row.user_id
    assert again.org_id != row.org_id


async def test_what_the_schema_refuses_is_refused(database: Database) -> None:
    async with database.transaction() as session:
        row = await make_row(session, User)
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await make_row(session, User, email=row.email)
