"""A forgotten password is replaced by whoever reads mail to the account's address, once per link."""

import pytest
from sqlalchemy import text

from db.auth import password_reset
from db.auth.errors import LinkInvalid
from db.auth.models import User
from db.session import Database
from db.users import service as users
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, refused, rows, value


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, email="Ada@example.com"))


async def begin(database: Database, email: str = "ada@example.com") -> str | None:
    link = await in_transaction(database, lambda s: password_reset.begin(s, email))
    return link.text if link is not None else None


async def begun(database: Database) -> str:
    secret = await begin(database)
    assert secret is not None
    return secret


async def test_asking_leaves_the_same_behind_for_everybody(database: Database, ada: User) -> None:
    for email in (" ADA@example.com", "nobody@example.com"):
        await in_transaction(database, lambda s, email=email: password_reset.request(s, email))
    left = await rows(database, "SELECT payload FROM app.domain_events WHERE type LIKE '%reset%' ORDER BY occurred_at")
    assert [payload["email"] for (payload,) in left] == ["ADA@example.com", "nobody@example.com"]
    assert [payload.keys() for (payload,) in left] == [{"email", "ip", "request_id"}] * 2
    assert await value(database, "SELECT count(*) FROM auth.one_time_tokens") == 0


async def test_the_link_works_once(database: Database, ada: User) -> None:
    secret = await begun(database)
    assert (await in_transaction(database, lambda s: password_reset.look(s, secret))).id == ada.id
    assert (await in_transaction(database, lambda s: password_reset.spend(s, secret))).id == ada.id
    await refused(database, LinkInvalid, lambda s: password_reset.look(s, secret))
    await refused(database, LinkInvalid, lambda s: password_reset.spend(s, secret))


async def test_a_new_password_voids_all_links(database: Database, ada: User) -> None:
    first, second = await begun(database), await begun(database)
    await in_transaction(database, lambda s: users.update_user(s, ada.id, {"password_hash": "new"}))
    for secret in (first, second):
        await refused(database, LinkInvalid, lambda s, secret=secret: password_reset.spend(s, secret))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.one_time_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE auth.users SET email = 'other@example.com'",
        "UPDATE auth.users SET is_active = false",
        "UPDATE auth.users SET deleted_at = now()",
    ],
)
async def test_what_happened_meanwhile_voids_the_link(database: Database, ada: User, statement: str) -> None:
    secret = await begun(database)
    async with database.transaction() as session:
        await session.execute(text(statement))
    await refused(database, LinkInvalid, lambda s: password_reset.spend(s, secret))


async def test_links_are_limited_per_account_and_not_for_the_disabled(database: Database, ada: User) -> None:
    for _ in range(password_reset.LINKS_PER_HOUR):
        assert await begin(database)
    assert await begin(database) is None
    assert await begin(database, "nobody@example.com") is None
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.one_time_tokens SET created_at = now() - interval '2 hours'"))
        await session.execute(text("UPDATE auth.users SET is_active = false"))
    assert await begin(database) is None
