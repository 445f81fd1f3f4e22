"""What the driver reports becomes an error of ours, and never says the values."""

import traceback

import asyncpg
import pytest
from sqlalchemy import exc, text

from db.auth.models import Organisation, User
from db.errors import DatabaseUnavailable
from db.session import Database

SECRETS = ("hunter2", "ada@example.org")
LACKS_A_NAME = {"email": "ada@example.org", "username": None, "password_hash": "hunter2" * 3}


async def raised(
    database: Database, *rows: User | Organisation, statement: str = "", **values: object
) -> BaseException:
    async def attempt() -> None:
        async with database.transaction() as session:
            if statement:
                await session.execute(text(statement), values)
            session.add_all(rows)

    with pytest.raises(exc.DBAPIError) as error:
        await attempt()
    return error.value


async def test_neither_parameters_nor_rows_nor_keys_are_in_the_text(database: Database) -> None:
    failures = [
        await raised(database, User(**LACKS_A_NAME)),
        await raised(database, Organisation(name="a", slug="hunter2"), Organisation(name="b", slug="hunter2")),
        await raised(database, statement="SELECT CAST(:value AS bigint)", value="hunter2"),
        await raised(database, statement="SELECT 1 FROM nowhere WHERE address = :value", value="ada@example.org"),
    ]
    reasons = ("null value in column", "duplicate key", "invalid input for query argument $1", "does not exist")
    for error, reason in zip(failures, reasons, strict=True):
        shown = "".join(traceback.format_exception(error))
        assert reason in shown
        assert "DETAIL" not in shown
        assert not [secret for secret in SECRETS if secret in shown], shown
    refusal = failures[1]
    assert isinstance(refusal, exc.IntegrityError)
    assert refusal.orig is not None
    assert getattr(refusal.orig.__cause__, "constraint_name", "").startswith("uq_"), "what was refused is still known"


@pytest.mark.parametrize("state", ["53100", "53200", "53000", "58030"])
async def test_a_server_without_room_or_memory_is_away_for_the_moment(database: Database, state: str) -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        async with database.transaction() as session:
            await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '{state}'; END $$"))
    assert refused.value.retry_after_s > 1
    async with database.transaction() as session:
        session.add(Organisation(name="Reef", slug="reef"))


async def test_a_server_that_takes_no_changes_is_away_and_another_connection_is_tried(
    database: Database, plain: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = await plain.fetchval("SELECT current_database()")

    async def write() -> int:
        async with database.transaction() as session:
            backend: int = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            session.add(Organisation(name="Reef", slug="reef"))
        return backend

    await plain.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        with pytest.raises(DatabaseUnavailable):
            await write()
    finally:
        await plain.execute("SET default_transaction_read_only = off")
        await plain.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await write()


async def test_to_write_where_one_said_to_read_only_stays_a_bug(database: Database) -> None:
    with pytest.raises(exc.DBAPIError, match="read-only transaction"):
        async with database.transaction(read_only=True) as session:
            session.add(Organisation(name="Reef", slug="reef"))
