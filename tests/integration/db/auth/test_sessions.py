"""Login sessions and refresh families, above all what happens when a token comes twice."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from db.auth import service
from db.auth.errors import RefreshTokenInvalid, RefreshTokenReused, SessionNotFound
from db.auth.sessions import OpenSession
from db.effects import SessionsRevoked
from db.session import Database
from tests.factories.auth import make_session, make_user
from tests.fixtures.transactions import event_types, in_transaction, refused, rows, value


async def rotate(database: Database, token: str) -> OpenSession:
    return await in_transaction(database, lambda s: service.rotate_refresh(s, token))


async def age(database: Database, seconds: int) -> None:
    """Let time pass for every token that was used."""
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE auth.refresh_tokens SET used_at = used_at - make_interval(secs => :s)"), {"s": seconds}
        )


def collect_revocations(database: Database) -> list[SessionsRevoked]:
    seen: list[SessionsRevoked] = []

    async def remember(batch: Sequence[SessionsRevoked]) -> None:
        seen.extend(batch)

    database.on_commit(SessionsRevoked, remember)
    return seen


async def test_tokens_are_stored_hashed_only(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    rotated = await rotate(database, opened.refresh_token)
    dump = str(await rows(database, "SELECT r::text FROM auth.refresh_tokens r"))
    for token in (opened.refresh_token, rotated.refresh_token):
        assert token.removeprefix("mrt_") not in dump
        assert token.encode().hex() not in dump


async def test_each_rotation_gives_a_new_token_of_the_same_session(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    tokens = [opened.refresh_token]
    for _ in range(4):
        rotated = await rotate(database, tokens[-1])
        assert rotated.session.id == opened.session.id
        assert rotated.user.id == opened.user.id
        tokens.append(rotated.refresh_token)
    assert len(set(tokens)) == 5
    chain = await rows(database, "SELECT parent_id, id, replaced_by FROM auth.refresh_tokens ORDER BY created_at")
    assert [row[2] for row in chain[:-1]] == [row[1] for row in chain[1:]]
    assert [row[0] for row in chain[1:]] == [row[1] for row in chain[:-1]]


async def test_within_grace_the_same_child_is_answered_again(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    first = await rotate(database, opened.refresh_token)
    await age(database, 8)
    again = await rotate(database, opened.refresh_token)
    assert again.refresh_token == first.refresh_token
    assert again.refresh_expires_at == first.refresh_expires_at
    assert await value(database, "SELECT count(*) FROM auth.refresh_tokens") == 2
    await rotate(database, again.refresh_token)


async def test_many_tabs_at_once_all_get_the_same_child(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    results = await asyncio.gather(*(rotate(database, opened.refresh_token) for _ in range(12)))
    assert len({result.refresh_token for result in results}) == 1
    assert await value(database, "SELECT count(*) FROM auth.refresh_tokens") == 2


async def test_reuse_after_grace_ends_the_family_with_its_newest_descendant(database: Database) -> None:
    revoked = collect_revocations(database)
    opened = await in_transaction(database, make_session)
    child = await rotate(database, opened.refresh_token)
    grandchild = await rotate(database, child.refresh_token)
    await age(database, 11)
    await refused(
        database, RefreshTokenReused, lambda s: service.rotate_refresh(s, opened.refresh_token, ip="203.0.113.9")
    )
    # The refusal was raised, and still the revocation is committed.
    assert revoked == [SessionsRevoked(opened.user.id, opened.session.id)]
    for token in (grandchild.refresh_token, child.refresh_token, opened.refresh_token):
        await refused(database, RefreshTokenInvalid, lambda s, token=token: service.rotate_refresh(s, token))  # type: ignore[misc]
    assert "user.refresh_reuse_detected" in await event_types(database)
    entry = (await rows(database, "SELECT details FROM audit.entries WHERE action = 'session.revoked'"))[0]
    assert entry == ({"reason": "refresh_reuse"},)


async def test_another_family_of_the_same_user_survives_a_reuse(database: Database) -> None:
    user = await in_transaction(database, make_user)
    stolen = await in_transaction(database, lambda s: make_session(s, user))
    other = await in_transaction(database, lambda s: make_session(s, user))
    await rotate(database, stolen.refresh_token)
    await age(database, 11)
    await refused(database, RefreshTokenReused, lambda s: service.rotate_refresh(s, stolen.refresh_token))
    assert (await rotate(database, other.refresh_token)).session.id == other.session.id


async def test_a_parent_whose_child_was_used_gets_nothing_but_ends_nothing_within_grace(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    child = await rotate(database, opened.refresh_token)
    grandchild = await rotate(database, child.refresh_token)
    await refused(database, RefreshTokenInvalid, lambda s: service.rotate_refresh(s, opened.refresh_token))
    await rotate(database, grandchild.refresh_token)


async def test_unknown_and_expired_tokens_and_ended_sessions_are_refused(database: Database) -> None:
    await refused(database, RefreshTokenInvalid, lambda s: service.rotate_refresh(s, "mrt_unknown"))
    for column, table in (("expires_at", "refresh_tokens"), ("absolute_expires_at", "sessions")):
        opened = await in_transaction(database, make_session)
        async with database.transaction() as session:
            await session.execute(text(f"UPDATE auth.{table} SET {column} = now() - interval '1 second'"))
        await refused(database, RefreshTokenInvalid, lambda s, o=opened: service.rotate_refresh(s, o.refresh_token))  # type: ignore[misc]


async def test_a_disabled_account_cannot_refresh(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET is_active = false"))
    await refused(database, RefreshTokenInvalid, lambda s: service.rotate_refresh(s, opened.refresh_token))


async def test_no_token_outlives_the_session(database: Database) -> None:
    opened = await in_transaction(database, lambda s: make_session(s, idle_days=7, absolute_days=1))
    assert opened.refresh_expires_at == opened.session.absolute_expires_at
    rotated = await rotate(database, opened.refresh_token)
    assert rotated.refresh_expires_at == opened.session.absolute_expires_at


async def test_revoking_one_session_leaves_the_others_and_closes_its_sockets(database: Database) -> None:
    revoked = collect_revocations(database)
    user = await in_transaction(database, make_user)
    one = await in_transaction(database, lambda s: make_session(s, user))
    two = await in_transaction(database, lambda s: make_session(s, user))
    await in_transaction(database, lambda s: service.revoke_session(s, user.id, one.session.id))
    assert revoked == [SessionsRevoked(user.id, one.session.id)]
    left = await in_transaction(database, lambda s: service.list_sessions(s, user.id))
    assert [login.id for login in left] == [two.session.id]
    await refused(database, SessionNotFound, lambda s: service.revoke_session(s, user.id, one.session.id))


async def test_nobody_revokes_the_session_of_somebody_else(database: Database) -> None:
    mine = await in_transaction(database, make_session)
    stranger = await in_transaction(database, make_user)
    await refused(database, SessionNotFound, lambda s: service.revoke_session(s, stranger.id, mine.session.id))
    await rotate(database, mine.refresh_token)


async def test_revoking_all_voids_access_tokens_but_all_others_keeps_this_one(database: Database) -> None:
    revoked = collect_revocations(database)
    user = await in_transaction(database, make_user)
    opened = [await in_transaction(database, lambda s: make_session(s, user)) for _ in range(3)]
    ended = await in_transaction(
        database, lambda s: service.revoke_all(s, user.id, except_session_id=opened[0].session.id)
    )
    assert ended == 2
    assert {effect.session_id for effect in revoked} == {opened[1].session.id, opened[2].session.id}
    assert await value(database, "SELECT tokens_valid_after FROM auth.users") is None
    await rotate(database, opened[0].refresh_token)
    revoked.clear()
    assert await in_transaction(database, lambda s: service.revoke_all(s, user.id)) == 1
    assert revoked == [SessionsRevoked(user.id)]
    assert await value(database, "SELECT tokens_valid_after <= clock_timestamp() FROM auth.users") is True


async def test_ended_sessions_are_pruned_and_live_ones_kept(database: Database) -> None:
    old, live = await in_transaction(database, make_session), await in_transaction(database, make_session)
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE auth.sessions SET revoked_at = now() - interval '40 days' WHERE id = :id"),
            {"id": old.session.id},
        )
    assert await in_transaction(database, lambda s: service.prune_sessions(s, keep_days=30)) == 2, "it and its token"
    kept: list[UUID] = [row[0] for row in await rows(database, "SELECT session_id FROM auth.refresh_tokens")]
    assert kept == [live.session.id]


async def test_a_session_of_many_tokens_goes_in_batches(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    token = opened.refresh_token
    for _ in range(4):
        token = (await rotate(database, token)).refresh_token
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.sessions SET revoked_at = now() - interval '40 days'"))
    gone = [await in_transaction(database, lambda s: service.prune_sessions(s, limit=2)) for _ in range(4)]
    assert gone == [2, 2, 2, 0], "five tokens and then their session, never more than two rows of either"
    assert await value(database, "SELECT count(*) FROM auth.sessions") == 0


async def test_being_seen_is_noted_once_a_minute(database: Database) -> None:
    opened = await in_transaction(database, make_session)
    before = await value(database, "SELECT last_seen_at FROM auth.sessions")
    await in_transaction(database, lambda s: service.touch_session(s, opened.session.id))
    assert await value(database, "SELECT last_seen_at FROM auth.sessions") == before
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.sessions SET last_seen_at = now() - interval '2 minutes'"))
    await in_transaction(database, lambda s: service.touch_session(s, opened.session.id))
    assert await value(database, "SELECT last_seen_at > now() - interval '1 minute' FROM auth.sessions") is True
