"""Signing in with a passkey: whom it lets in, whom it does not, and what is written down."""

import pytest
from sqlalchemy import text

from db.auth.errors import TooManyLoginAttempts
from db.auth.login import ADDRESS_FACTOR
from db.auth.models import User
from db.passkeys.errors import PasskeyChallengeInvalid, PasskeyInvalid
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.authenticator import TRUTH, Authenticator, Lie
from tests.fixtures.passkeys import ADDRESS, add, answer, ask, signing_in
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value

REASON = "SELECT details->>'reason' FROM audit.entries WHERE action = 'login.passkey_failed' ORDER BY id DESC LIMIT 1"


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="ada", email="Ada@example.com"))


@pytest.fixture
async def authenticator(database: Database, ada: User) -> Authenticator:
    """Ada's, with one key."""
    made = Authenticator()
    await add(database, ada, made)
    return made


async def sign_in(database: Database, authenticator: Authenticator, lie: Lie = TRUTH):
    return await in_transaction(database, await answer(database, authenticator, lie))


async def test_lets_its_owner_in_and_writes_it_down(
    database: Database, ada: User, authenticator: Authenticator
) -> None:
    for _ in range(2):
        assert await sign_in(database, authenticator) == ada.id
    used = "SELECT sign_count, last_used_at IS NOT NULL FROM auth.webauthn_credentials"
    assert await rows(database, used) == [(2, True)]
    assert await value(database, "SELECT last_login_at IS NOT NULL AND version = 1 FROM auth.users") is True
    [passkey_id] = (await rows(database, "SELECT id FROM auth.webauthn_credentials"))[0]
    trail = "SELECT actor_id, details FROM audit.entries WHERE action = 'login.succeeded'"
    assert await rows(database, trail) == [(ada.id, {"passkey_id": str(passkey_id)})] * 2
    attempts = "SELECT DISTINCT account, user_id, ip, succeeded FROM auth.login_attempts"
    assert await rows(database, attempts) == [("ada@example.com", ada.id, ADDRESS, True)]


async def test_a_challenge_is_answered_once_and_in_time(database: Database, authenticator: Authenticator) -> None:
    given = authenticator.get(await ask(database))
    await in_transaction(database, signing_in(given))
    await refused(database, PasskeyChallengeInvalid, signing_in(given))
    late = authenticator.get(await ask(database))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.webauthn_challenges SET expires_at = clock_timestamp()"))
    await refused(database, PasskeyChallengeInvalid, signing_in(late))
    await refused(database, PasskeyChallengeInvalid, signing_in(authenticator.get({"challenge": "AAAA", "rpId": "x"})))


@pytest.mark.parametrize(
    "lie",
    [
        Lie(origin="https://evil.example"),
        Lie(rp_id="evil.example"),
        Lie(verified=False),
        Lie(present=False),
        Lie(forged=True),
        Lie(cross_origin=True),
        Lie(kind="webauthn.create"),
        Lie(user_handle=bytes(16)),
        Lie(user_handle=b"short"),
    ],
)
async def test_liars_are_refused_counted_and_have_spent_their_challenge(
    database: Database, ada: User, authenticator: Authenticator, lie: Lie
) -> None:
    asked = await ask(database)
    await refused(database, PasskeyInvalid, signing_in(authenticator.get(asked, lie)))
    await refused(database, PasskeyChallengeInvalid, signing_in(authenticator.get(asked)))
    failed = "SELECT user_id, ip FROM auth.login_attempts WHERE NOT succeeded"
    assert await rows(database, failed) == [(ada.id, ADDRESS)]
    assert await value(database, REASON)
    assert await value(database, "SELECT last_login_at FROM auth.users") is None


async def test_unknown_keys_and_nonsense_get_the_same_answer(database: Database, authenticator: Authenticator) -> None:
    stranger = Authenticator()
    stranger.create({"user": {"id": "AAAA"}, "rp": {"id": "shop.test"}, "challenge": "AAAA"})
    unknown = await refused(database, PasskeyInvalid, await answer(database, stranger))
    assert await value(database, REASON) == "unknown"
    broken = authenticator.get(await ask(database))
    broken["response"]["clientDataJSON"] = "AAAA"
    nonsense = await refused(database, PasskeyInvalid, signing_in(broken))
    forged = await refused(database, PasskeyInvalid, await answer(database, authenticator, Lie(forged=True)))
    assert len({(error.message, str(error.details)) for error in (unknown, nonsense, forged)}) == 1


@pytest.mark.parametrize(
    "statement",
    ["UPDATE auth.users SET is_active = false", "UPDATE auth.users SET deleted_at = now()"],
)
async def test_accounts_that_ended_let_nobody_in(
    database: Database, authenticator: Authenticator, statement: str
) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))
    await refused(database, PasskeyInvalid, await answer(database, authenticator))
    assert await value(database, "SELECT last_used_at FROM auth.webauthn_credentials") is None


async def test_a_removed_passkey_lets_nobody_in(database: Database, authenticator: Authenticator) -> None:
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM auth.webauthn_credentials"))
    await refused(database, PasskeyInvalid, await answer(database, authenticator))


async def test_a_copy_shows_by_its_counter_and_the_owner_is_told(
    database: Database, ada: User, authenticator: Authenticator
) -> None:
    copy = authenticator.copied()
    for _ in range(2):
        await sign_in(database, authenticator)
    await refused(database, PasskeyInvalid, await answer(database, copy))
    assert await value(database, REASON) == "its counter went from 2 to 1"
    copied = "SELECT actor_id, subject_id FROM audit.entries WHERE action = 'passkey.copied'"
    assert await rows(database, copied) == [(None, str(ada.id))]
    assert (await event_types(database)).count("user.passkey_changed") == 2
    await refused(database, PasskeyInvalid, await answer(database, authenticator, Lie(counter=0)))
    assert await sign_in(database, authenticator, Lie(counter=9)) == ada.id


async def test_synced_keys_and_those_that_do_not_count_have_no_counter_to_go_by(database: Database, ada: User) -> None:
    synced, silent = Authenticator(synced=True), Authenticator()
    await add(database, ada, synced)
    for counter in (7, 3, 0):
        assert await sign_in(database, synced, Lie(counter=counter)) == ada.id
    await add(database, ada, silent)
    for _ in range(2):
        assert await sign_in(database, silent, Lie(counter=0)) == ada.id


async def test_no_key_becomes_one_that_may_be_synced(database: Database, authenticator: Authenticator) -> None:
    """Else whoever has copied a key says so, and its counter is not looked at."""
    await refused(database, PasskeyInvalid, await answer(database, authenticator.copied(synced=True)))


async def test_whether_it_is_synced_is_what_was_said_last(database: Database, ada: User) -> None:
    authenticator = Authenticator(synced=True)
    await add(database, ada, authenticator)
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.webauthn_credentials SET backed_up = false"))
    await sign_in(database, authenticator)
    assert await value(database, "SELECT backed_up FROM auth.webauthn_credentials") is True


async def test_an_address_that_fails_often_must_wait(database: Database, authenticator: Authenticator) -> None:
    for _ in range(ADDRESS_FACTOR):
        wrong = authenticator.get(await ask(database), Lie(forged=True))
        await refused(database, PasskeyInvalid, signing_in(wrong, failures_per_minute=1))
    right = authenticator.get(await ask(database))
    error = await refused(database, TooManyLoginAttempts, signing_in(right, failures_per_minute=1))
    assert 1 <= error.retry_after_s <= 60
    assert await in_transaction(database, signing_in(right, ip="198.51.100.7", failures_per_minute=1))
