"""One-time tokens: found by their secret, for their purpose and their time, used once, limited."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import one_time
from db.auth.errors import TooManyMails
from db.auth.models import User
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, refused, rows, value


async def age(database: Database, by: str) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "UPDATE auth.one_time_tokens SET created_at = created_at - CAST(:by AS interval),"
                " expires_at = expires_at - CAST(:by AS interval)"
            ),
            {"by": timedelta(minutes=float(by))},
        )


async def issued(database: Database, purpose: str = one_time.RESET_PASSWORD) -> tuple[User, str]:
    async def make(session: AsyncSession) -> tuple[User, str]:
        user = await make_user(session)
        return user, await one_time.issue(session, user.id, purpose, {"email": user.email})

    return await in_transaction(database, make)


async def found(database: Database, secret: str, purpose: str = one_time.RESET_PASSWORD) -> bool:
    return await in_transaction(database, lambda s: one_time.find(s, secret, purpose)) is not None


async def test_is_stored_as_a_hash_and_found_for_its_purpose_only(database: Database) -> None:
    _, secret = await issued(database)
    assert secret.startswith(one_time.PREFIX)
    assert len(secret) > 40
    assert secret not in str(await rows(database, "SELECT * FROM auth.one_time_tokens"))
    assert await found(database, secret)
    assert not await found(database, secret, one_time.VERIFY_EMAIL)
    assert not await found(database, secret + "x")


async def test_ends_after_its_time(database: Database) -> None:
    _, secret = await issued(database)
    await age(database, "29")
    assert await found(database, secret)
    await age(database, "2")
    assert not await found(database, secret)


async def test_a_reserved_one_opens_nothing_until_it_is_armed(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s))
    token_id = await in_transaction(database, lambda s: one_time.reserve(s, user.id, one_time.VERIFY_EMAIL, {}))
    first = await in_transaction(database, lambda s: one_time.arm(s, token_id))
    second = await in_transaction(database, lambda s: one_time.arm(s, token_id))
    assert first is not None
    assert second is not None
    assert not await found(database, first, one_time.VERIFY_EMAIL)
    assert await found(database, second, one_time.VERIFY_EMAIL)
    assert await in_transaction(database, lambda s: one_time.arm(s, uuid4())) is None


async def test_a_used_one_is_never_armed_again(database: Database) -> None:
    _, secret = await issued(database)

    async def use(session: AsyncSession) -> None:
        token = await one_time.find(session, secret, one_time.RESET_PASSWORD, lock=True)
        assert token is not None
        await one_time.use(session, token)

    await in_transaction(database, use)
    token_id = await value(database, "SELECT id FROM auth.one_time_tokens WHERE used_at IS NOT NULL")
    assert await in_transaction(database, lambda s: one_time.arm(s, token_id)) is None


async def test_mails_are_limited_by_the_interval_and_by_the_hour(database: Database) -> None:
    user, _ = await issued(database)

    async def ask(session: AsyncSession) -> None:
        await one_time.refuse_too_many(
            session, user.id, one_time.RESET_PASSWORD, per_hour=2, interval=timedelta(minutes=1)
        )

    assert 50 < (await refused(database, TooManyMails, ask)).retry_after_s <= 60
    await age(database, "2")
    await in_transaction(database, ask)
    await in_transaction(database, lambda s: one_time.issue(s, user.id, one_time.RESET_PASSWORD, {}))
    await age(database, "2")
    assert 3300 < (await refused(database, TooManyMails, ask)).retry_after_s <= 3400
    assert await in_transaction(database, lambda s: one_time.count_recent(s, user.id, one_time.RESET_PASSWORD)) == 2
    await age(database, "57")
    await in_transaction(database, ask)


async def test_old_ones_are_pruned(database: Database) -> None:
    await issued(database)
    assert await in_transaction(database, one_time.prune) == 0
    await age(database, "1500")
    assert await in_transaction(database, one_time.prune) == 1
