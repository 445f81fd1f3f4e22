from pathlib import Path

import httpx
import pytest
from mobula_projects import Doorkeeper, mine
from sqlalchemy import text

from db.session import Database
from serve_app.realtime.credentials import Credentials
from serve_app.realtime.handlers import Caller, ConnectAttempt

SCHEMA = Path(__file__).resolve().parents[1] / "schema.sql"


@pytest.fixture
async def members(database: Database) -> None:
    async with database.transaction() as session:
        for statement in filter(str.strip, SCHEMA.read_text(encoding="utf-8").split(";\n")):
            await session.execute(text(statement))
        await session.execute(text("TRUNCATE projects.members"))


async def test_who_signs_in_has_the_projects_of_the_table(
    authenticated_client: httpx.AsyncClient, database: Database, members: None
) -> None:
    me = (await authenticated_client.get("/api/v1/auth/me")).json()
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO projects.members VALUES ('7', :user, 'editor')"), {"user": me["id"]})
    admission = await Doorkeeper(database).let_in(ConnectAttempt("client", Credentials(user=me["id"])))
    assert admission is not None
    caller = Caller(user=me["id"], client="client", meta=admission.credentials.meta)
    assert await mine(caller, b"") == b'{"7": "editor"}'


async def test_nobody_is_let_in_without_a_token(database: Database) -> None:
    assert await Doorkeeper(database).let_in(ConnectAttempt("client", None)) is None
