"""Revoking tokens, in rows and effects."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db.effects import TokensRevoked, UserBlocked
from db.errors import InvalidInput
from db.session import Database
from db.sessions import service
from db.sessions.models import TokenRevocation

NOW = datetime.now(UTC)


async def stored(database: Database) -> dict[tuple[str, str], TokenRevocation]:
    async with database.transaction(read_only=True) as session:
        rows = (await session.scalars(select(TokenRevocation))).all()
    return {(row.kind, row.subject): row for row in rows}


async def test_a_revocation_is_a_row_and_an_effect(database: Database) -> None:
    told: list[TokensRevoked] = []

    async def hear(effects: Sequence[TokensRevoked]) -> None:
        told.extend(effects)

    database.on_commit(TokensRevoked, hear)
    async with database.transaction() as session:
        await service.revoke_token(session, "j1", expire_at=NOW + timedelta(hours=1))
        await service.invalidate_user_tokens(session, "u1", issued_before=NOW)
        await service.invalidate_user_tokens(session, "u3", channel="news", issued_before=NOW)
    rows = await stored(database)
    assert rows["token", "j1"].expire_at == NOW + timedelta(hours=1)
    assert rows["user", "u1"].issued_before == NOW
    assert rows["user", "u1"].expire_at > NOW + timedelta(days=30)
    floor = int(NOW.timestamp() * 1000)
    assert rows["user", "u3\nnews"].issued_before == NOW
    assert ("user", "u3") not in rows, "the other tokens of this user live"
    assert told == [
        TokensRevoked(token_id="j1"),
        TokensRevoked(user="u1", issued_before_ms=floor),
        TokensRevoked(user="u3", issued_before_ms=floor, channel="news"),
    ]


async def test_a_later_call_takes_nothing_back(database: Database) -> None:
    async with database.transaction() as session:
        await service.invalidate_user_tokens(session, "u2", issued_before=NOW, expire_at=NOW + timedelta(days=9))
        await service.invalidate_user_tokens(
            session, "u2", issued_before=NOW - timedelta(days=1), expire_at=NOW + timedelta(days=1)
        )
        await service.revoke_token(session, "j2", expire_at=NOW + timedelta(days=9))
        await service.revoke_token(session, "j2", expire_at=NOW + timedelta(days=1))
    rows = await stored(database)
    assert (rows["user", "u2"].issued_before, rows["user", "u2"].expire_at) == (NOW, NOW + timedelta(days=9))
    assert rows["token", "j2"].expire_at == NOW + timedelta(days=9)


async def test_a_user_is_blocked_until_then_or_until_unblocked(database: Database) -> None:
    told: list[UserBlocked] = []

    async def hear(effects: Sequence[UserBlocked]) -> None:
        told.extend(effects)

    database.on_commit(UserBlocked, hear)
    later = NOW + timedelta(hours=1)
    async with database.transaction() as session:
        await service.block_user(session, "b1")
    async with database.transaction() as session:
        await service.block_user(session, "b1", expire_at=later)
        await service.block_user(session, "b2")
    rows = await stored(database)
    assert rows["block", "b1"].expire_at == later, "the last word counts"
    assert rows["block", "b2"].expire_at == service.FOR_EVER
    async with database.transaction() as session:
        await service.unblock_user(session, "b1")
        await service.unblock_user(session, "nobody")
    rows = await stored(database)
    assert ("block", "b1") not in rows
    assert ("block", "b2") in rows
    for_ever, until = (int(moment.timestamp() * 1000) for moment in (service.FOR_EVER, later))
    assert told == [
        UserBlocked("b1", for_ever),
        UserBlocked("b1", until),
        UserBlocked("b2", for_ever),
        UserBlocked("b1", 0),
        UserBlocked("nobody", 0),
    ]
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await service.block_user(session, "b1", expire_at=NOW - timedelta(seconds=1))


async def test_what_is_over_is_pruned(database: Database) -> None:
    async with database.transaction() as session:
        await service.revoke_token(session, "old", expire_at=NOW - timedelta(seconds=1))
        await service.revoke_token(session, "new")
    async with database.transaction() as session:
        assert await service.prune(session) >= 1
    rows = await stored(database)
    assert ("token", "old") not in rows
    assert ("token", "new") in rows


@pytest.mark.parametrize("value", ["", "x" * (service.MAX_LENGTH + 1)])
async def test_nobody_and_everybody_cannot_be_revoked(database: Database, value: str) -> None:
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await service.revoke_token(session, value)
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await service.invalidate_user_tokens(session, value)
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await service.block_user(session, value)
    with pytest.raises(InvalidInput):
        async with database.transaction() as session:
            await service.unblock_user(session, value)
