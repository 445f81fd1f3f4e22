"""Everything is sealed again under a new key, and what is not is counted."""

from uuid import UUID

import pytest
from sqlalchemy import text

from db.auth import second_factor
from db.auth.models import User
from db.auth.resealing import SEALED, Batch, SealedColumn, Stale, count_stale, reseal_batch
from db.auth.sealing import Sealer
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.second_factor import KEY, SEALER, begin, code_of, enrol
from tests.fixtures.transactions import in_transaction

APPS, CODES = SEALED
ALONE, ROTATING = Sealer(["a newer key of these tests"]), Sealer(["a newer key of these tests", KEY])


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, make_user)


async def reseal(
    database: Database, sealer: Sealer, column: SealedColumn, *, after: UUID | None = None, limit: int = 100
) -> Batch:
    return await in_transaction(database, lambda s: reseal_batch(s, sealer, column, after=after, limit=limit))


async def stale(database: Database, sealer: Sealer) -> Stale:
    return await in_transaction(database, lambda s: count_stale(s, sealer))


async def test_everything_is_sealed_again_under_a_new_key(database: Database, ada: User) -> None:
    secret, codes = await enrol(database, ada)
    assert await stale(database, SEALER) == (0, 0)
    assert await stale(database, ROTATING) == (11, 0)
    assert await stale(database, ALONE) == (11, 11)
    assert [(await reseal(database, ROTATING, column)).resealed for column in SEALED] == [1, 10]
    assert await stale(database, ROTATING) == await stale(database, ALONE) == (0, 0)
    for code in (code_of(secret), codes[0]):
        found = await in_transaction(
            database,
            lambda s, code=code: second_factor.check_code(s, ALONE, ada.id, code, ip=None),
        )
        assert found is not None


async def test_values_that_cannot_be_opened_hide_none_behind_them(database: Database) -> None:
    users = sorted([await in_transaction(database, make_user) for _ in range(3)], key=lambda user: user.id)
    for user in users:
        await begin(database, user)
    async with database.transaction() as session:
        await session.execute(
            text(
                "UPDATE auth.totp_credentials SET secret_encrypted = overlay(secret_encrypted placing '\\x01ffffffff'"
                " from 1) WHERE user_id = :id"
            ),
            {"id": users[0].id},
        )
        await session.execute(
            text("UPDATE auth.totp_credentials SET secret_encrypted = secret_encrypted || 'x' WHERE user_id = :id"),
            {"id": users[1].id},
        )
    seen, after = [], None
    for _ in range(4):
        done, after = await reseal(database, ROTATING, APPS, after=after, limit=1)
        seen.append((done, after))
    assert seen == [(0, users[0].id), (0, users[1].id), (1, users[2].id), (0, None)]
    assert await stale(database, ROTATING) == (2, 1), "the changed one is left, the other's key is missing, too"


async def test_a_value_that_somebody_holds_is_passed_over_and_counted(database: Database, ada: User) -> None:
    await enrol(database, ada)
    async with database.transaction() as holder:
        await holder.execute(text("SELECT FROM auth.totp_credentials FOR UPDATE"))
        assert await reseal(database, ROTATING, APPS) == (0, None)
        assert await stale(database, ROTATING) == (11, 0)
    assert await reseal(database, ROTATING, APPS) == (1, ada.id)
