"""Making accounts, and what they may do."""

import asyncio
from uuid import uuid4

import pytest

from db.auth import service
from db.auth.errors import EmailTaken, UnknownRole, UsernameTaken
from db.auth.permissions import PERMISSIONS, ROLES
from db.errors import DomainError, InvalidInput
from db.session import Database
from tests.factories.auth import make_session, make_user
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value


async def test_registering_stores_the_account_its_role_and_a_fact_with_its_job(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, username="Ada", email="Ada@Example.com"))
    assert (user.email, user.username, user.version, user.is_active) == ("Ada@Example.com", "Ada", 1, True)
    identity = await in_transaction(database, lambda s: service.load_identity(s, user.id))
    assert identity is not None
    assert identity.roles == ("customer",)
    assert identity.permissions == ROLES["customer"]
    assert await event_types(database) == ["user.created"]
    assert await value(database, "SELECT args ->> 'event_id' FROM jobs.jobs WHERE kind = 'events.dispatch'") == str(
        await value(database, "SELECT id FROM app.domain_events")
    )


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ({"email": "ADA@example.com", "username": "other"}, EmailTaken),
        ({"email": "other@example.com", "username": "ADA"}, UsernameTaken),
    ],
)
async def test_a_name_is_taken_whatever_its_case(
    database: Database, names: dict[str, str], error: type[DomainError]
) -> None:
    await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
    await refused(database, error, lambda s: make_user(s, **names))  # type: ignore[arg-type]
    assert await value(database, "SELECT count(*) FROM auth.users") == 1


async def test_of_many_registrations_of_one_name_at_once_one_wins(database: Database) -> None:
    async def register() -> object:
        try:
            return await in_transaction(database, lambda s: make_user(s, username="ada", email="ada@example.com"))
        except DomainError as error:
            return type(error)

    results = await asyncio.gather(*(register() for _ in range(10)))
    assert results.count(EmailTaken) == 9
    assert await value(database, "SELECT count(*) FROM auth.users") == 1


@pytest.mark.parametrize("email", ["", "nobody", "a b@example.com", "@", "x" * 250 + "@a.org"])
async def test_what_is_no_address_is_refused(database: Database, email: str) -> None:
    assert (
        await refused(
            database, InvalidInput, lambda s: service.register(s, email=email, username="ada", password_hash="h")
        )
    ).field == "email"


@pytest.mark.parametrize("username", ["", "a", "-ada", "a da", "ad\x00a", "x" * 51, "a@b"])
async def test_what_is_no_username_is_refused(database: Database, username: str) -> None:
    error = await refused(
        database,
        InvalidInput,
        lambda s: service.register(s, email="a@example.com", username=username, password_hash="h"),
    )
    assert error.field == "username"


async def test_the_roles_in_the_database_are_those_in_the_code(database: Database) -> None:
    stored = {row[0]: row[1] for row in await rows(database, "SELECT name, description FROM auth.permissions")}
    assert stored == PERMISSIONS
    granted: dict[str, set[str]] = {}
    for name, permission in await rows(
        database, "SELECT r.name, p.permission FROM auth.roles r JOIN auth.role_permissions p ON p.role_id = r.id"
    ):
        granted.setdefault(name, set()).add(permission)
    assert granted == {name: set(permissions) for name, permissions in ROLES.items()}


async def test_an_unknown_role_is_refused_and_a_change_is_written_down(database: Database) -> None:
    admin = await in_transaction(database, lambda s: make_user(s, roles=("admin",)))
    user = await in_transaction(database, make_user)
    await refused(database, UnknownRole, lambda s: service.set_roles(s, user.id, ["emperor"]))
    await in_transaction(database, lambda s: service.set_roles(s, user.id, ["analyst"], actor_id=admin.id))
    found = await rows(
        database,
        "SELECT actor_id, details FROM audit.entries "
        "WHERE action = 'roles.changed' AND subject_id = :id ORDER BY id DESC",
        id=str(user.id),
    )
    assert found[0] == (admin.id, {"before": ["customer"], "after": ["analyst"]})


async def test_an_identity_ends_with_its_account_or_its_session(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    user_id, session_id = opened.user.id, opened.session.id

    def load(session_id: object) -> object:
        return in_transaction(database, lambda s: service.load_identity(s, user_id, session_id=session_id))  # type: ignore[arg-type]

    identity = await load(session_id)  # type: ignore[misc]
    assert identity.session.id == session_id
    assert await load(uuid4()) is None  # type: ignore[misc]
    await in_transaction(database, lambda s: service.revoke_session(s, user_id, session_id))
    assert await load(session_id) is None  # type: ignore[misc]
