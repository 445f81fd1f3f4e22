"""Signing in with a password."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from db.auth import service
from db.auth.errors import InvalidCredentials, TooManyLoginAttempts
from db.auth.models import User
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, rows, value
from tests.fixtures.waiting import eventually


class TransparentHasher:
    """A hasher one can see through: `v2:<password>`. Remembers what it was asked to verify."""

    def __init__(self) -> None:
        self.verified: list[str | None] = []

    async def hash(self, password: str) -> str:
        return f"v2:{password}"

    async def verify(self, password: str, stored: str | None) -> bool:
        self.verified.append(stored)
        return stored is not None and stored.partition(":")[2] == password

    def needs_rehash(self, stored: str) -> bool:
        return not stored.startswith("v2:")


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(
        database, lambda s: make_user(s, username="ada", email="ada@example.com", password_hash="v2:blue kettle")
    )


async def sign_in(database: Database, password: str, *, email: str = "ada@example.com", ip: str = "192.0.2.1") -> UUID:
    return await service.authenticate(
        database, TransparentHasher(), email=email, password=password, ip=ip, failures_per_minute=3
    )


async def test_the_right_password_signs_in_whatever_the_case_of_the_address(database: Database, ada: User) -> None:
    assert await sign_in(database, "blue kettle", email=" ADA@example.com ") == ada.id
    assert await value(database, "SELECT last_login_at IS NOT NULL AND version = 1 FROM auth.users") is True
    assert await rows(database, "SELECT account, user_id, ip, succeeded FROM auth.login_attempts") == [
        ("ada@example.com", ada.id, "192.0.2.1", True)
    ]


async def test_wrong_passwords_and_unknown_accounts_get_one_answer_and_are_counted(
    database: Database, ada: User
) -> None:
    errors = []
    for email in ("ada@example.com", "nobody@example.com"):
        with pytest.raises(InvalidCredentials) as caught:
            await sign_in(database, "wrong", email=email)
        errors.append((caught.value.code, caught.value.message, caught.value.details))
    assert errors[0] == errors[1]
    assert await value(database, "SELECT count(*) FROM auth.login_attempts WHERE NOT succeeded") == 2
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'login.failed'") == 2


async def test_an_unknown_account_costs_a_verification_too(database: Database) -> None:
    hasher = TransparentHasher()
    with pytest.raises(InvalidCredentials):
        await service.authenticate(database, hasher, email="nobody@example.com", password="x")
    assert hasher.verified == [None]


async def test_a_disabled_account_cannot_sign_in_with_the_right_password(database: Database, ada: User) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET is_active = false"))
    with pytest.raises(InvalidCredentials):
        await sign_in(database, "blue kettle")


async def test_after_too_many_failures_even_the_right_password_waits(database: Database, ada: User) -> None:
    for number in range(3):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong", ip=f"192.0.2.{number}")
    with pytest.raises(TooManyLoginAttempts) as caught:
        await sign_in(database, "blue kettle")
    assert 1 <= caught.value.retry_after_s <= 60
    async with database.transaction() as session:  # and never longer: no lock-out by strangers
        await session.execute(text("UPDATE auth.login_attempts SET at = at - interval '61 seconds'"))
    assert await sign_in(database, "blue kettle") == ada.id


async def guess_from_elsewhere(database: Database, times: int = 3) -> None:
    for number in range(times):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong", ip=f"203.0.113.{number}")


@pytest.mark.parametrize(("home", "again"), [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8:1:2::1", "2001:db8:1:2::9")])
async def test_strangers_cannot_keep_an_owner_out_of_where_they_sign_in(
    database: Database, ada: User, home: str, again: str
) -> None:
    await sign_in(database, "blue kettle", ip=home)
    async with database.transaction() as session:  # so that the success is not what counts anew
        await session.execute(text("UPDATE auth.login_attempts SET at = at - interval '29 days'"))
    await guess_from_elsewhere(database)
    for elsewhere in ("203.0.113.9", "2001:db8:1:3::1"):
        with pytest.raises(TooManyLoginAttempts):
            await sign_in(database, "blue kettle", ip=elsewhere)
    assert await sign_in(database, "blue kettle", ip=again) == ada.id


async def test_guesses_from_where_an_owner_signs_in_have_a_limit_too(database: Database, ada: User) -> None:
    await sign_in(database, "blue kettle")
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong")
    with pytest.raises(TooManyLoginAttempts):
        await sign_in(database, "blue kettle")


async def test_a_place_is_forgotten_after_a_month(database: Database, ada: User) -> None:
    await sign_in(database, "blue kettle")
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.login_attempts SET at = at - interval '31 days'"))
    await guess_from_elsewhere(database)
    with pytest.raises(TooManyLoginAttempts):
        await sign_in(database, "blue kettle")


CONFIRMATIONS = "SELECT action FROM audit.entries WHERE action ~ '^(login|password)' ORDER BY id"


async def confirm(database: Database, password: str) -> UUID:
    return await service.authenticate(
        database,
        TransparentHasher(),
        email="ada@example.com",
        password=password,
        ip="192.0.2.1",
        failures_per_minute=3,
        purpose="confirmation",
    )


async def test_confirming_a_password_is_no_sign_in(database: Database, ada: User) -> None:
    assert await confirm(database, "blue kettle") == ada.id
    with pytest.raises(InvalidCredentials):
        await confirm(database, "wrong")
    assert await value(database, "SELECT last_login_at FROM auth.users") is None
    assert await rows(database, CONFIRMATIONS) == [
        ("password.confirmed",),
        ("password.not_confirmed",),
    ]


async def test_who_is_signed_in_confirms_whatever_is_guessed_at_the_door_and_not_at_will(
    database: Database, ada: User
) -> None:
    await guess_from_elsewhere(database)
    assert await confirm(database, "blue kettle") == ada.id
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            await confirm(database, "wrong")
    with pytest.raises(TooManyLoginAttempts):
        await confirm(database, "blue kettle")


async def test_the_addresses_of_one_subscriber_are_one(database: Database, ada: User) -> None:
    for number in range(9):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong", email=f"victim{number}@example.com", ip=f"2001:db8:1:2::{number}")
    with pytest.raises(TooManyLoginAttempts):
        await sign_in(database, "blue kettle", ip="2001:db8:1:2:ffff::1")
    assert await sign_in(database, "blue kettle", ip="2001:db8:1:3::1") == ada.id


async def test_one_address_cannot_try_many_accounts(database: Database, ada: User) -> None:
    for number in range(9):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong", email=f"victim{number}@example.com", ip="203.0.113.5")
    with pytest.raises(TooManyLoginAttempts):
        await sign_in(database, "blue kettle", ip="203.0.113.5")
    assert await sign_in(database, "blue kettle", ip="192.0.2.200") == ada.id


async def test_an_account_of_one_s_own_does_not_make_an_address_trustworthy(database: Database, ada: User) -> None:
    """The guesser signs in with an account of theirs between guesses at others."""
    await in_transaction(database, lambda s: make_user(s, email="mallory@example.com", password_hash="v2:mine"))
    ip = "203.0.113.5"
    for number in range(9):
        with pytest.raises(InvalidCredentials):
            await sign_in(database, "wrong", email=f"victim{number}@example.com", ip=ip)
        if number < 8:
            await sign_in(database, "mine", email="mallory@example.com", ip=ip)
    for email in ("victim9@example.com", "mallory@example.com"):
        with pytest.raises(TooManyLoginAttempts) as caught:
            await sign_in(database, "mine", email=email, ip=ip)
        assert 1 <= caught.value.retry_after_s <= 60


async def test_guesses_at_the_same_time_count_for_each_other(database: Database, ada: User) -> None:
    """None of them is decided while the others are let in: hashing takes longer than everything else."""
    let_go = asyncio.Event()

    class Slow(TransparentHasher):
        async def verify(self, password: str, stored: str | None) -> bool:
            verdict = await super().verify(password, stored)
            await let_go.wait()
            return verdict

    hasher = Slow()

    async def guess(number: int) -> UUID:
        return await service.authenticate(
            database, hasher, email="ada@example.com", password=f"guess {number}", ip=None, failures_per_minute=3
        )

    guesses = [asyncio.create_task(guess(number)) for number in range(12)]
    await eventually(lambda: sum(task.done() for task in guesses) == 9)
    let_go.set()
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyLoginAttempts)]
    assert [refusal.retry_after_s for refusal in refused] == [1.0] * 9, "what is being verified may yet succeed"
    assert sum(isinstance(outcome, InvalidCredentials) for outcome in outcomes) == len(hasher.verified) == 3
    assert await value(database, "SELECT count(*) FROM auth.login_attempts WHERE succeeded = false") == 3


async def test_an_attempt_that_nobody_concluded_counts(database: Database, ada: User) -> None:
    for _ in range(3):  # the process was killed, or the client went away
        async with database.transaction() as session:
            await service.find_candidate(session, email="ada@example.com", ip=None, failures_per_minute=3)
    with pytest.raises(TooManyLoginAttempts):
        await sign_in(database, "blue kettle")


async def test_an_unknown_address_of_any_length_is_a_failed_login(database: Database) -> None:
    email = "x" * 240 + "@example.com"
    with pytest.raises(InvalidCredentials):
        await sign_in(database, "wrong", email=email)
    assert await rows(database, "SELECT account, succeeded FROM auth.login_attempts") == [(email, False)]
    assert await value(database, "SELECT subject_id FROM audit.entries WHERE action = 'login.failed'") == email


async def test_a_success_between_failures_starts_counting_anew(database: Database, ada: User) -> None:
    for password in ("wrong", "wrong", "blue kettle", "wrong", "wrong"):
        if password == "wrong":
            with pytest.raises(InvalidCredentials):
                await sign_in(database, password)
        else:
            await sign_in(database, password)
    assert await sign_in(database, "blue kettle") == ada.id


async def test_an_old_hash_is_replaced_at_the_next_sign_in(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, email="old@example.com", password_hash="v1:blue kettle"))
    await sign_in(database, "blue kettle", email="old@example.com")
    assert await value(database, "SELECT password_hash FROM auth.users") == "v2:blue kettle"


async def test_a_password_changed_while_it_was_verified_does_not_sign_in(database: Database, ada: User) -> None:
    class Meanwhile(TransparentHasher):
        async def verify(self, password: str, stored: str | None) -> bool:
            async with database.transaction() as session:
                await session.execute(text("UPDATE auth.users SET password_hash = 'v2:other'"))
            return await super().verify(password, stored)

    with pytest.raises(InvalidCredentials):
        await service.authenticate(database, Meanwhile(), email="ada@example.com", password="blue kettle")


async def test_old_attempts_are_pruned(database: Database, ada: User) -> None:
    await sign_in(database, "blue kettle")
    assert await in_transaction(database, lambda s: service.prune_attempts(s, older_than_days=1)) == 0
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.login_attempts SET at = at - interval '2 days'"))
    assert await in_transaction(database, lambda s: service.prune_attempts(s, older_than_days=1)) == 1
