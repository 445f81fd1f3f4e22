"""An authenticator app and its recovery codes: each code once, guesses counted, nothing readable at rest."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import recovery_codes, second_factor
from db.auth.errors import (
    CodeRequired,
    SecondFactorDisabled,
    SecondFactorEnabled,
    TooManyLoginAttempts,
    WrongCode,
)
from db.auth.models import User
from db.session import Database
from tests.factories.auth import make_session, make_user
from tests.fixtures.second_factor import SEALER, begin, code_of, enrol
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="ada"))


def confirming(user: User, code: str):
    return lambda s: second_factor.confirm_enrolment(s, SEALER, user.id, code, session_id=None, ip="192.0.2.1")


async def check(database: Database, user: User, code: str) -> str | None:
    return await in_transaction(database, lambda s: second_factor.check_code(s, SEALER, user.id, code, ip="192.0.2.1"))


def wrong(secret: str) -> str:
    """Six digits that are no code of now, nor of the steps around it."""
    good = {code_of(secret, steps=steps) for steps in range(-3, 4)}
    return next(code for digit in range(10) if (code := 6 * str(digit)) not in good)


async def test_counts_only_once_it_is_confirmed(database: Database, ada: User) -> None:
    secret = await begin(database, ada)
    assert not (await in_transaction(database, lambda s: second_factor.describe(s, ada.id))).enabled
    await refused(database, SecondFactorDisabled, lambda s: second_factor.check_code(s, SEALER, ada.id, "1", ip=None))
    await refused(database, WrongCode, confirming(ada, wrong(secret)))
    codes = await in_transaction(database, confirming(ada, code_of(secret)))
    state = await in_transaction(database, lambda s: second_factor.describe(s, ada.id))
    assert state.enabled
    assert state.recovery_codes_left == len(set(codes)) == recovery_codes.COUNT
    await refused(database, SecondFactorEnabled, lambda s: second_factor.begin_enrolment(s, SEALER, ada.id))
    await refused(database, SecondFactorEnabled, confirming(ada, code_of(secret, steps=1)))


async def test_beginning_again_voids_what_was_shown_and_an_old_beginning_is_void(database: Database, ada: User) -> None:
    first = await begin(database, ada)
    second = await begin(database, ada)
    await refused(database, WrongCode, confirming(ada, code_of(first)))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.totp_credentials SET created_at = now() - interval '16 minutes'"))
    await refused(database, SecondFactorDisabled, confirming(ada, code_of(second)))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.totp_credentials SET created_at = now() - interval '25 hours'"))
    assert await in_transaction(database, second_factor.prune_enrolments) == 1


async def test_nothing_can_be_read_from_the_tables(database: Database, ada: User) -> None:
    secret, codes = await enrol(database, ada)
    stored = str(await rows(database, "SELECT * FROM auth.totp_credentials"))
    stored += str(await rows(database, "SELECT * FROM auth.recovery_codes"))
    assert secret not in stored
    assert not any(code in stored or recovery_codes.normalised(code) in stored for code in codes)
    assert "password" not in str(await rows(database, "SELECT payload FROM app.domain_events"))


async def test_a_code_works_once(database: Database, ada: User) -> None:
    secret, _ = await enrol(database, ada)
    code = code_of(secret)
    assert await check(database, ada, f" {code[:3]} {code[3:]} ") == "otp"
    assert await check(database, ada, code) is None
    assert await check(database, ada, code_of(secret, steps=1)) == "otp"


async def test_a_code_works_once_for_two_at_the_same_time(database: Database, ada: User) -> None:
    secret, codes = await enrol(database, ada)
    for code, method in ((code_of(secret), "otp"), (codes[0], "recovery_code")):
        answers = await asyncio.gather(*(check(database, ada, code) for _ in range(4)))
        assert sorted(answers, key=str) == [None, None, None, method]
        async with database.transaction() as session:
            await session.execute(text("DELETE FROM auth.login_attempts"))


async def test_a_recovery_code_works_once_and_its_owner_is_told(database: Database, ada: User) -> None:
    _, codes = await enrol(database, ada)
    assert await check(database, ada, codes[3].lower().replace("-", " ")) == "recovery_code"
    assert await check(database, ada, codes[3]) is None
    assert (await in_transaction(database, lambda s: second_factor.describe(s, ada.id))).recovery_codes_left == 9
    payload = await value(database, "SELECT payload FROM app.domain_events WHERE payload->>'change' = 'code_used'")
    assert payload["codes_left"] == 9
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'second_factor.code_used'") == 1


async def test_of_another_account_it_is_worth_nothing(database: Database, ada: User) -> None:
    eve = await in_transaction(database, lambda s: make_user(s))
    await enrol(database, ada)
    secret, codes = await enrol(database, eve)
    assert await check(database, ada, codes[0]) is None
    assert await check(database, ada, code_of(secret)) is None
    # Not even with write access to the tables: what is sealed for one row opens for no other.
    async with database.transaction() as session:
        await session.execute(
            text(
                "UPDATE auth.totp_credentials t SET secret_encrypted = e.secret_encrypted"
                " FROM auth.totp_credentials e WHERE e.user_id = :eve"
            ),
            {"eve": eve.id},
        )
    with pytest.raises(Exception, match="not configured"):
        await check(database, ada, code_of(secret))


async def test_guesses_are_limited_whoever_has_the_password(database: Database, ada: User) -> None:
    secret, codes = await enrol(database, ada)
    for _ in range(second_factor.GUESSES):
        assert await check(database, ada, wrong(secret)) is None
    for code in (code_of(secret), codes[0]):
        with pytest.raises(TooManyLoginAttempts) as caught:
            await check(database, ada, code)
        assert 800 < caught.value.retry_after_s <= 900
    failed = "SELECT count(*) FROM audit.entries WHERE action = 'login.code_failed'"
    assert await value(database, failed) == second_factor.GUESSES
    assert await value(database, "SELECT count(*) FROM app.domain_events WHERE payload->>'change' = 'guessed'") == 1
    async with database.transaction() as session:  # never longer
        await session.execute(text("UPDATE auth.login_attempts SET at = at - interval '901 seconds'"))
    assert await check(database, ada, code_of(secret)) == "otp"


async def test_a_right_code_clears_the_wrong_ones(database: Database, ada: User) -> None:
    secret, codes = await enrol(database, ada)
    for _ in range(2):
        for _ in range(second_factor.GUESSES - 1):
            assert await check(database, ada, wrong(secret)) is None
        assert await check(database, ada, codes[0]) in ("recovery_code", None)
        codes = codes[1:]


async def test_confirming_ends_the_other_sessions_and_marks_this_one(database: Database, ada: User) -> None:
    here, there = [(await in_transaction(database, lambda s: make_session(s, ada))).session.id for _ in range(2)]
    secret = await begin(database, ada)

    async def confirm(session: AsyncSession) -> Sequence[str]:
        return await second_factor.confirm_enrolment(session, SEALER, ada.id, code_of(secret), session_id=here, ip=None)

    await in_transaction(database, confirm)
    left = await rows(database, "SELECT id, methods FROM auth.sessions WHERE revoked_at IS NULL")
    assert left == [(here, ["pwd", "otp"])]
    assert there != here
    assert "user.second_factor_changed" in await event_types(database)


async def test_a_change_needs_a_code_where_there_is_a_second_factor(database: Database, ada: User) -> None:
    def requiring(code: str | None):
        return lambda s: second_factor.require_code(s, SEALER, ada.id, code, ip=None)

    await in_transaction(database, requiring(None))
    secret, _ = await enrol(database, ada)
    await refused(database, CodeRequired, requiring(None))
    await refused(database, WrongCode, requiring(wrong(secret)))
    await in_transaction(database, requiring(code_of(secret)))


async def test_renewed_codes_replace_the_old_ones(database: Database, ada: User) -> None:
    def renewing(session: AsyncSession):
        return second_factor.renew_recovery_codes(session, SEALER, ada.id)

    await refused(database, SecondFactorDisabled, renewing)
    _, old = await enrol(database, ada)
    new = await in_transaction(database, renewing)
    assert not set(old) & set(new)
    assert await check(database, ada, old[0]) is None
    assert await check(database, ada, new[0]) == "recovery_code"


async def test_disabled_it_is_gone(database: Database, ada: User) -> None:
    def disabling(actor):
        return lambda s: second_factor.disable(s, ada.id, actor_id=actor)

    await refused(database, SecondFactorDisabled, disabling(ada.id))
    await enrol(database, ada)
    await in_transaction(database, disabling(ada.id))
    assert await value(database, "SELECT count(*) FROM auth.recovery_codes") == 0
    assert not (await in_transaction(database, lambda s: second_factor.describe(s, ada.id))).enabled
    await enrol(database, ada)
    await in_transaction(database, disabling(uuid4()))
    changes = await rows(
        database, "SELECT payload->>'change' FROM app.domain_events WHERE type LIKE '%second%' ORDER BY occurred_at"
    )
    assert [change for (change,) in changes] == ["enabled", "disabled", "enabled", "removed"]
