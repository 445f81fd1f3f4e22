"""Which constraint a statement ran into."""

import pytest
from sqlalchemy.exc import IntegrityError

from db.auth.models import Organisation
from db.constraints import violated
from db.session import Database


async def test_the_violated_index_is_named(database: Database) -> None:
    async def collide() -> None:
        async with database.transaction() as session:
            session.add_all([Organisation(name="A", slug="a"), Organisation(name="B", slug="a")])

    with pytest.raises(IntegrityError) as caught:
        await collide()
    assert violated(caught.value) == "uq_organisations_slug_live"


def test_an_error_without_a_cause_names_nothing() -> None:
    assert violated(IntegrityError("x", None, Exception())) == ""
