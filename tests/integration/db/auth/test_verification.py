"""An address is verified by the link that was mailed to it, and by no other."""

import pytest
from sqlalchemy import text

from db.auth import verification
from db.auth.errors import EmailAlreadyVerified, LinkInvalid, TooManyMails
from db.auth.events import VerificationRequested
from db.auth.models import User
from db.events.event import decode
from db.session import Database
from db.users import service as users
from tests.factories.auth import make_user
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="ada", is_verified=False))


async def link_of(database: Database, user: User) -> str:
    return await in_transaction(database, lambda s: verification.issue(s, user))


async def test_the_link_verifies_and_following_it_again_changes_nothing(database: Database, ada: User) -> None:
    secret = await link_of(database, ada)
    for _ in range(2):
        assert (await in_transaction(database, lambda s: verification.verify(s, secret))).is_verified
    assert await value(database, "SELECT version FROM auth.users") == 2
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'email.verified'") == 1


async def test_a_used_link_verifies_nothing_new(database: Database, ada: User) -> None:
    secret = await link_of(database, ada)
    await in_transaction(database, lambda s: verification.verify(s, secret))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET is_verified = false"))
    await refused(database, LinkInvalid, lambda s: verification.verify(s, secret))


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
    secret = await link_of(database, ada)
    async with database.transaction() as session:
        await session.execute(text(statement))
    error = await refused(database, LinkInvalid, lambda s: verification.verify(s, secret))
    assert error.field == "token"
    assert await value(database, "SELECT is_verified FROM auth.users") is False


async def test_is_asked_for_again_but_not_at_will(database: Database, ada: User) -> None:
    await in_transaction(database, lambda s: verification.request(s, ada.id))
    assert (await event_types(database))[-1] == "user.verification_requested"
    await refused(database, TooManyMails, lambda s: verification.request(s, ada.id))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET is_verified = true"))
    await refused(database, EmailAlreadyVerified, lambda s: verification.request(s, ada.id))


async def test_a_new_address_is_asked_to_verify_itself_and_the_old_one_is_told(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, email="old@example.com"))
    await in_transaction(database, lambda s: users.update_user(s, user.id, {"email": "new@example.com"}))
    assert set(await event_types(database)) >= {"user.verification_requested", "user.email_changed"}
    kind, payload = (await rows(database, "SELECT type, payload FROM app.domain_events WHERE type LIKE '%verif%'"))[0]
    event = decode(kind, payload)
    assert isinstance(event, VerificationRequested)
    armed = await in_transaction(database, lambda s: verification.arm(s, event.token_id))
    assert armed is not None
    assert armed[0].email == "new@example.com"
    assert (await in_transaction(database, lambda s: verification.verify(s, armed[1]))).is_verified
    assert await in_transaction(database, lambda s: verification.arm(s, event.token_id)) is None


async def test_the_same_address_in_other_letters_is_not_asked_again(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, email="old@example.com"))
    await in_transaction(database, lambda s: users.update_user(s, user.id, {"email": "OLD@example.com"}))
    assert not set(await event_types(database)) & {"user.verification_requested", "user.email_changed"}
