"""A challenge is answered once, in time, and by whom it was for."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from db.auth.models import User
from db.passkeys import challenges
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, value


async def issue(database: Database, user: User | None = None) -> bytes:
    return await in_transaction(database, lambda s: challenges.issue(s, user_id=user.id if user else None))


async def spend(database: Database, challenge: bytes, user: User | None = None) -> bool:
    spent = await in_transaction(database, lambda s: challenges.spend(s, challenge, user_id=user.id if user else None))
    return spent is not None


async def test_each_is_spent_once_by_whom_it_was_for(database: Database) -> None:
    ada, bob = [await in_transaction(database, make_user) for _ in range(2)]
    for owner in (ada, None):
        challenge = await issue(database, owner)
        for stranger in {ada, bob, None} - {owner}:
            assert not await spend(database, challenge, stranger)
        assert await spend(database, challenge, owner)
        assert not await spend(database, challenge, owner)


async def test_of_two_at_once_one_is_the_first(database: Database) -> None:
    challenge = await issue(database)
    assert sorted(await asyncio.gather(*[spend(database, challenge) for _ in range(4)])) == [False] * 3 + [True]


async def test_time_is_short(database: Database) -> None:
    challenge = await issue(database)
    left = await value(database, "SELECT expires_at - created_at FROM auth.webauthn_challenges")
    assert abs(left - challenges.LIFE) < timedelta(seconds=1)
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.webauthn_challenges SET expires_at = clock_timestamp()"))
    assert not await spend(database, challenge)


async def test_only_a_hash_is_stored(database: Database) -> None:
    challenge = await issue(database)
    assert len(challenge) == 32
    assert await value(database, "SELECT challenge_sha256 = sha256(:c) FROM auth.webauthn_challenges", c=challenge)


async def test_those_that_nobody_answered_are_pruned(database: Database) -> None:
    for _ in range(2):
        await issue(database)
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.webauthn_challenges SET expires_at = now()"))
    await issue(database)
    assert await in_transaction(database, challenges.prune) == 2
    assert await value(database, "SELECT count(*) FROM auth.webauthn_challenges") == 1
