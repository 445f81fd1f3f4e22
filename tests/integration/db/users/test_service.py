"""Changing, finding and removing accounts."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from db.auth import service as auth
from db.auth.errors import ApiKeyInvalid, EmailTaken, RefreshTokenInvalid, UsernameTaken
from db.auth.models import User
from db.effects import SessionsRevoked
from db.errors import InvalidInput, PreconditionFailed
from db.session import Database
from db.users import service
from db.users.errors import LastAdmin, UserNotFound
from tests.factories.auth import make_api_key, make_session, make_user
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value


async def update(database: Database, user: User, **changes: Any) -> User:
    return await in_transaction(database, lambda s: service.update_user(s, user.id, changes), acting_user_id=user.id)


async def test_changes_raise_the_version_and_are_recorded(database: Database) -> None:
    user = await in_transaction(database, make_user)
    changed = await update(database, user, full_name="Ada Lovelace", metadata={"theme": "dark"}, username="countess")
    assert (changed.full_name, changed.extra, changed.username) == ("Ada Lovelace", {"theme": "dark"}, "countess")
    assert changed.version == user.version + 1
    assert changed.updated_at > user.updated_at
    assert await value(database, "SELECT payload -> 'fields' FROM app.domain_events WHERE type = 'user.updated'") == [
        "full_name", "metadata", "username",
    ]  # fmt: skip


async def test_setting_what_is_already_so_changes_nothing(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, username="ada"))
    same = await update(database, user, username="ada", email=user.email)
    assert (same.version, same.is_verified) == (user.version, True)
    assert "user.updated" not in await event_types(database)


async def test_a_new_address_is_unverified_but_a_change_of_case_is_not_new(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, email="ada@example.com"))
    assert (await update(database, user, email="Ada@Example.com")).is_verified is True
    assert (await update(database, user, email="new@example.com")).is_verified is False


async def test_taken_names_stale_versions_and_unknown_fields_are_refused(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    user = await in_transaction(database, make_user)
    for changes, error in (
        ({"email": "ADA@example.com"}, EmailTaken),
        ({"username": "Ada"}, UsernameTaken),
        ({"id": uuid4()}, InvalidInput),
        ({"tokens_valid_after": None}, InvalidInput),
        ({"metadata": {str(n): n for n in range(51)}}, InvalidInput),
        ({"metadata": {"note": "x" * service.MAX_METADATA_BYTES}}, InvalidInput),
    ):
        await refused(database, error, lambda s, c=changes: service.update_user(s, user.id, c))  # type: ignore[misc]
    await refused(
        database, PreconditionFailed, lambda s: service.update_user(s, user.id, {"full_name": "x"}, expected_version=9)
    )
    await refused(database, UserNotFound, lambda s: service.update_user(s, uuid4(), {}))


async def test_roles_are_part_of_the_version(database: Database) -> None:
    user = await in_transaction(database, make_user)

    async def give(*roles: str, version: int | None = None) -> User:
        return await in_transaction(
            database, lambda s: service.update_user(s, user.id, {}, roles=roles, expected_version=version)
        )

    assert (await give("customer", version=1)).version == 1, "nothing changed"
    assert (await give("customer", "operator", version=1)).version == 2
    await refused(
        database,
        PreconditionFailed,
        lambda s: service.update_user(s, user.id, {}, roles=["analyst"], expected_version=1),
    )
    outcomes = await asyncio.gather(
        *(give("customer", role) for role in ("analyst", "operator")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] in ([], [PreconditionFailed])
    assert len(await rows(database, "SELECT role_id FROM auth.user_roles")) == 2


async def test_disabling_ends_every_session_at_once(database: Database) -> None:
    ended: list[SessionsRevoked] = []

    async def remember(batch: Any) -> None:
        ended.extend(batch)

    database.on_commit(SessionsRevoked, remember)
    opened = await in_transaction(database, make_session)
    changed = await update(database, opened.user, is_active=False)
    assert changed.tokens_valid_after is not None
    assert ended == [SessionsRevoked(opened.user.id)]
    await refused(database, RefreshTokenInvalid, lambda s: auth.rotate_refresh(s, opened.refresh_token))


async def test_a_removed_account_is_gone_its_credentials_end_and_its_names_are_free(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    opened = await in_transaction(database, lambda s: make_session(s, user))
    key = await in_transaction(database, lambda s: make_api_key(s, user))
    await in_transaction(database, lambda s: service.delete_user(s, user.id))
    await refused(database, UserNotFound, lambda s: service.get_user(s, user.id))
    await refused(database, RefreshTokenInvalid, lambda s: auth.rotate_refresh(s, opened.refresh_token))
    await refused(database, ApiKeyInvalid, lambda s: auth.verify_api_key(s, key.text))
    assert (await in_transaction(database, service.list_users)).items == []
    again = await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    assert again.id != user.id
    assert await value(database, "SELECT count(*) FROM auth.users WHERE lower(email) = 'ada@example.com'") == 2


async def test_restoring_works_while_the_names_are_free_and_is_refused_afterwards(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    await in_transaction(database, lambda s: service.delete_user(s, user.id))
    assert (await in_transaction(database, lambda s: service.restore_user(s, user.id))).deleted_at is None
    await in_transaction(database, lambda s: service.delete_user(s, user.id))
    await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    await refused(database, EmailTaken, lambda s: service.restore_user(s, user.id))


async def test_somebody_can_always_administer(database: Database) -> None:
    first = await in_transaction(database, lambda s: make_user(s, roles=("admin",)))
    await refused(database, LastAdmin, lambda s: service.delete_user(s, first.id))
    await refused(database, LastAdmin, lambda s: service.update_user(s, first.id, {"is_active": False}))
    await refused(database, LastAdmin, lambda s: service.update_user(s, first.id, {}, roles=["customer"]))
    second = await in_transaction(database, lambda s: make_user(s, roles=("admin",)))

    async def give_up(user: User) -> bool:
        try:
            await in_transaction(database, lambda s: service.update_user(s, user.id, {}, roles=["customer"]))
        except LastAdmin:
            return False
        return True

    assert sorted(await asyncio.gather(give_up(first), give_up(second))) == [False, True]


async def test_search_finds_by_parts_of_names_and_treats_wildcards_as_text(database: Database) -> None:
    async with database.transaction() as session:
        await make_user(session, username="ada.lovelace", email="ada@analytical.example", full_name="Ada King")
        await make_user(session, username="lin_100pc", email="lin@example.com", full_name="Lin Wei")
        await make_user(session, username="grace", email="grace@navy.example", full_name="Grace Hopper")

    async def found(q: str) -> list[str]:
        page = await in_transaction(database, lambda s: service.list_users(s, q=q, sort="username"))
        return [user.username for user in page.items]

    assert await found("LOVE") == ["ada.lovelace"]
    assert await found("analytical") == ["ada.lovelace"]
    assert await found("hopper") == ["grace"]
    assert await found("n_1") == ["lin_100pc"]
    assert await found("%") == []
    assert await found("a_a") == []
    assert await found("'; DROP TABLE auth.users; --") == []
    await refused(database, InvalidInput, lambda s: service.list_users(s, q="x" * 101))


async def test_a_typing_error_is_forgiven_where_the_server_can(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, username="lovelace"))
    trigrams = await rows(database, "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    page = await in_transaction(database, lambda s: service.list_users(s, q="lovelase"))
    assert len(page.items) == len(trigrams)


@pytest.mark.parametrize("sort", ["password_hash", "-id", "email desc", ""])
async def test_only_declared_orders_are_possible(database: Database, sort: str) -> None:
    if not sort:
        assert (await in_transaction(database, lambda s: service.list_users(s, sort=sort))).items == []
        return
    assert (await refused(database, InvalidInput, lambda s: service.list_users(s, sort=sort))).field == "sort"


async def test_the_directory_shows_active_people_beginnings_first(database: Database) -> None:
    async with database.transaction() as session:
        for name in ("madam", "ada", "Adam", "zoe"):
            await make_user(session, username=name)
        await service.update_user(session, (await make_user(session, username="adagone")).id, {"is_active": False})
    found = await in_transaction(database, lambda s: service.search_directory(s, "ada"))
    assert [user.username for user in found] == ["ada", "Adam", "madam"]
    assert len(await in_transaction(database, lambda s: service.search_directory(s, limit=2))) == 2
