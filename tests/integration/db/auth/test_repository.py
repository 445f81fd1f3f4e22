"""Queries about accounts and sessions."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from db.auth import password_reset, repository
from db.session import Database
from tests.factories.auth import make_session, make_user


async def test_accounts_are_found_by_name_whatever_the_case_and_not_once_removed(database: Database) -> None:
    async with database.transaction() as session:
        ada = await make_user(session, username="Ada", email="Ada@Example.com")
        assert await repository.user_by_email(session, " ada@example.COM ") is ada
        assert await repository.user_by_username(session, "ADA") is ada
        assert await repository.live_user(session, ada.id) is ada
        await session.execute(text("UPDATE auth.users SET deleted_at = now()"))
        assert await repository.user_by_email(session, "ada@example.com") is None
        assert await repository.user_by_username(session, "ada") is None
        assert await repository.live_user(session, ada.id) is None


@pytest.mark.parametrize("email", ["\u0130smail@example.com", "\u039d\u0399\u039a\u039f\u03a3@example.gr"])
async def test_an_account_is_found_by_the_address_that_it_was_registered_with(database: Database, email: str) -> None:
    """Python's lower case is not Postgres' for a capital I with a dot, or a sigma at the end of a word."""
    async with database.transaction() as session:
        user = await make_user(session, email=email)
        assert await repository.user_by_email(session, email) is user
        assert await password_reset.begin(session, email) is not None


async def test_roles_and_permissions_add_up(database: Database) -> None:
    async with database.transaction() as session:
        both = await make_user(session, roles=("analyst", "operator"))
        none = await make_user(session, roles=())
        assert await repository.roles_of(session, [both.id, none.id]) == {
            both.id: ("analyst", "operator"), none.id: (),
        }  # fmt: skip
        assert {"orders:read_all", "jobs:manage"} <= await repository.permissions_of(session, both.id)
        assert await repository.permissions_of(session, none.id) == frozenset()
        assert await repository.permissions_of(session, uuid4()) == frozenset()


@pytest.mark.parametrize("change", ["revoked_at = now()", "absolute_expires_at = now()"])
async def test_a_session_that_ended_is_not_live(database: Database, change: str) -> None:
    async with database.transaction() as session:
        opened = await make_session(session)
        assert await repository.live_session(session, opened.session.id) is not None
        assert len(await repository.live_sessions(session, opened.user.id)) == 1
        await session.execute(text(f"UPDATE auth.sessions SET {change}"))
        assert await repository.live_session(session, opened.session.id) is None
        assert await repository.live_sessions(session, opened.user.id) == []
