"""The passkeys of an account: who may add one, when, and what is written down."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from db.auth.models import User
from db.passkeys import service
from db.passkeys.ceremonies import credential_id_in
from db.passkeys.errors import PasskeyNotFound, PasskeyRefused, PasskeySetupOver, PasskeyTaken, TooManyPasskeys
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.authenticator import Authenticator, Lie
from tests.fixtures.passkeys import SITE, add, adding, begin
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value

TRAIL = "SELECT action, details->>'name' FROM audit.entries WHERE action LIKE 'passkey.%' ORDER BY id"


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="ada"))


@pytest.fixture
async def bob(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="bob"))


async def count(database: Database) -> int:
    return int(await value(database, "SELECT count(*) FROM auth.webauthn_credentials"))


async def test_added_passkeys_are_listed_written_down_and_told(database: Database, ada: User, bob: User) -> None:
    await add(database, ada, Authenticator(), name="telephone")
    await add(database, ada, Authenticator(synced=True), name="password manager")
    listed = await in_transaction(database, lambda s: service.list_passkeys(s, ada.id))
    assert [(row.name, row.backed_up, row.last_used_at) for row in listed] == [
        ("telephone", False, None),
        ("password manager", True, None),
    ]
    assert await in_transaction(database, lambda s: service.list_passkeys(s, bob.id)) == []
    assert await rows(database, TRAIL) == [("passkey.added", "telephone"), ("passkey.added", "password manager")]
    assert (await event_types(database)).count("user.passkey_changed") == 2


async def test_authenticators_are_told_which_keys_there_are(database: Database, ada: User) -> None:
    authenticator = Authenticator()
    await add(database, ada, authenticator)
    asked = await begin(database, ada)
    assert [known["id"] for known in asked["excludeCredentials"]] == list(authenticator.keys)
    assert (asked["user"]["name"], asked["user"]["displayName"]) == (ada.email, "ada")


async def test_an_answer_counts_once(database: Database, ada: User) -> None:
    credential = Authenticator().create(await begin(database, ada))
    await in_transaction(database, adding(ada, credential))
    await refused(database, PasskeySetupOver, adding(ada, credential))
    assert await count(database) == 1


async def test_somebody_elses_setup_is_none_of_mine(database: Database, ada: User, bob: User) -> None:
    credential = Authenticator().create(await begin(database, ada))
    await refused(database, PasskeySetupOver, adding(bob, credential))
    await in_transaction(database, adding(ada, credential))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.webauthn_challenges SET expires_at = clock_timestamp()",
        "UPDATE auth.users SET password_changed_at = clock_timestamp()",
    ],
)
async def test_what_happens_meanwhile_voids_a_setup(database: Database, ada: User, statement: str) -> None:
    credential = Authenticator().create(await begin(database, ada))
    async with database.transaction() as session:
        await session.execute(text(statement))
    await refused(database, PasskeySetupOver, adding(ada, credential))
    assert await count(database) == 0


async def test_what_cannot_be_verified_is_refused_and_has_spent_its_challenge(database: Database, ada: User) -> None:
    asked = await begin(database, ada)
    await refused(database, PasskeyRefused, adding(ada, Authenticator().create(asked, Lie(verified=False))))
    await refused(database, PasskeySetupOver, adding(ada, Authenticator().create(asked)))
    broken = Authenticator().create(asked)
    broken["response"]["clientDataJSON"] = "e30"
    error = await refused(database, PasskeyRefused, adding(ada, broken))
    assert error.field == "credential"


async def test_one_key_is_registered_once_whoever_asks(database: Database, ada: User, bob: User) -> None:
    """An authenticator that gives the same key again is broken, or somebody claims another's."""
    authenticator = Authenticator()
    row = await add(database, ada, authenticator)
    for user in (ada, bob):
        again = Authenticator().create(await begin(database, user))
        async with database.transaction() as session:
            await session.execute(
                text("UPDATE auth.webauthn_credentials SET credential_id = :id"), {"id": credential_id_in(again)}
            )
        await refused(database, PasskeyTaken, adding(user, again))
    assert await value(database, "SELECT user_id FROM auth.webauthn_credentials") == ada.id == row.user_id


async def test_there_is_a_limit_also_for_those_who_come_at_once(
    database: Database, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_PASSKEYS", 2)
    await add(database, ada, Authenticator())
    begun = [Authenticator().create(await begin(database, ada)) for _ in range(3)]
    outcomes = await asyncio.gather(
        *[in_transaction(database, adding(ada, credential)) for credential in begun], return_exceptions=True
    )
    assert sum(isinstance(outcome, TooManyPasskeys) for outcome in outcomes) == 2
    assert await count(database) == 2
    await refused(database, TooManyPasskeys, lambda s: service.begin(s, SITE, ada.id))


async def test_renaming_and_removing_are_for_the_owner(database: Database, ada: User, bob: User) -> None:
    row = await add(database, ada, Authenticator())
    for owner, passkey_id in ((bob, row.id), (ada, uuid4())):
        await refused(
            database,
            PasskeyNotFound,
            lambda s, owner=owner, i=passkey_id: service.rename(s, owner.id, i, name="mine"),
        )
        await refused(database, PasskeyNotFound, lambda s, owner=owner, i=passkey_id: service.remove(s, owner.id, i))
    renamed = await in_transaction(database, lambda s: service.rename(s, ada.id, row.id, name="old one"))
    assert renamed.name == "old one"
    await in_transaction(database, lambda s: service.remove(s, ada.id, row.id))
    assert await count(database) == 0
    assert await rows(database, TRAIL) == [
        ("passkey.added", "telephone"),
        ("passkey.renamed", "old one"),
        ("passkey.removed", "old one"),
    ]
    assert (await event_types(database)).count("user.passkey_changed") == 2
