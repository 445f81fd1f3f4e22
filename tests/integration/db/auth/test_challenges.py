"""The password earns a challenge, the challenge and a code earn a session."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from db.auth import challenges, second_factor
from db.auth.challenges import ProvenLogin
from db.auth.errors import LoginChallengeInvalid, LoginCodeInvalid
from db.auth.models import User
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.second_factor import SEALER, code_of, enrol
from tests.fixtures.transactions import in_transaction, refused, value


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, lambda s: make_user(s, username="ada"))


@pytest.fixture
async def app(database: Database, ada: User) -> tuple[str, Sequence[str]]:
    """Ada's secret and recovery codes."""
    return await enrol(database, ada)


async def challenge(database: Database, user: User) -> str:
    made = await in_transaction(database, lambda s: challenges.challenge(s, user.id))
    assert made is not None
    assert made.expires_in_s == 300
    return made.text


def answering(text: str, code: str):
    return lambda s: challenges.answer(s, SEALER, text, code, ip="192.0.2.1")


async def test_without_a_second_factor_there_is_none(database: Database, ada: User) -> None:
    assert await in_transaction(database, lambda s: challenges.challenge(s, ada.id)) is None


async def test_either_kind_of_code_answers_it_once(
    database: Database, ada: User, app: tuple[str, Sequence[str]]
) -> None:
    secret, codes = app
    for code, method in ((code_of(secret), "otp"), (codes[0], "recovery_code")):
        asked = await challenge(database, ada)
        assert await in_transaction(database, answering(asked, code)) == ProvenLogin(ada.id, ("pwd", method))
        await refused(database, LoginChallengeInvalid, answering(asked, codes[1]))
    assert await value(database, "SELECT last_login_at IS NOT NULL FROM auth.users") is True
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'login.succeeded'") == 2


async def test_wrong_answers_are_counted_and_end_it(
    database: Database, ada: User, app: tuple[str, Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_factor, "GUESSES", 100)
    _, codes = app
    asked = await challenge(database, ada)
    for _ in range(challenges.MAX_ANSWERS):
        await refused(database, LoginCodeInvalid, answering(asked, "0000-0000-0000"))
    await refused(database, LoginChallengeInvalid, answering(asked, codes[0]))
    failed = "SELECT count(*) FROM auth.login_attempts WHERE NOT succeeded AND ip = '192.0.2.1'"
    assert await value(database, failed) == challenges.MAX_ANSWERS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.one_time_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE auth.users SET password_changed_at = clock_timestamp()",
        "UPDATE auth.users SET is_active = false",
        "UPDATE auth.users SET deleted_at = now()",
        "DELETE FROM auth.totp_credentials",
    ],
)
async def test_what_happens_meanwhile_voids_it(
    database: Database, ada: User, app: tuple[str, Sequence[str]], statement: str
) -> None:
    asked = await challenge(database, ada)
    async with database.transaction() as session:
        await session.execute(text(statement))
    await refused(database, LoginChallengeInvalid, answering(asked, app[1][0]))


async def test_nonsense_is_no_challenge(database: Database, ada: User, app: tuple[str, Sequence[str]]) -> None:
    await refused(database, LoginChallengeInvalid, answering("mot_nonsense", app[1][0]))
