"""Which credentials are void, asked of real rows."""

import time
from uuid import uuid4

import pytest

from cluster.services.ports import free_port
from db.sessions.revocations import Credential, CredentialUnaskable, Revocations, RevocationsUnknown
from tests.fixtures.waiting import eventually


@pytest.fixture
async def revocations(database_url):
    opened = Revocations(database_url, application_name="revocations-under-test")
    yield opened
    await opened.close()


async def account(connection):
    user = await connection.fetchval(
        "INSERT INTO auth.users (email, username, password_hash) VALUES ($1 || '@example.com', $1, 'x') RETURNING id",
        uuid4().hex,
    )
    session = await connection.fetchval(
        "INSERT INTO auth.sessions (user_id, absolute_expires_at) VALUES ($1, now() + interval '1 day') RETURNING id",
        user,
    )
    return user, session


NOW_MS = time.time_ns() // 1_000_000


async def test_each_reason_to_refuse(revocations, plain):
    people = [await account(plain) for _ in range(7)]
    fine, ended, over, inactive, removed, floored, later = people
    await plain.execute("UPDATE auth.sessions SET revoked_at = now() WHERE id = $1", ended[1])
    await plain.execute("UPDATE auth.sessions SET absolute_expires_at = now() WHERE id = $1", over[1])
    await plain.execute("UPDATE auth.users SET is_active = false WHERE id = $1", inactive[0])
    await plain.execute("UPDATE auth.users SET deleted_at = now() WHERE id = $1", removed[0])
    await plain.execute(
        "UPDATE auth.users SET tokens_valid_after = to_timestamp($2::float8) WHERE id = ANY ($1)",
        [floored[0], later[0]],
        NOW_MS / 1000,
    )
    issued = [NOW_MS, NOW_MS, NOW_MS, NOW_MS, NOW_MS, NOW_MS - 1500, NOW_MS - 500]
    credentials = [Credential(str(u), str(s), at) for (u, s), at in zip(people, issued, strict=True)]
    credentials.append(Credential("somebody of another issuer", "their session", NOW_MS))
    credentials.append(Credential(str(uuid4()), "", 0))
    assert await revocations.refused(credentials) == {1, 2, 3, 4, 5}
    assert fine in people


async def test_tokens_revoked_by_id_or_by_user_and_time(revocations, plain):
    await plain.execute("DELETE FROM auth.token_revocations")
    await plain.execute(
        """INSERT INTO auth.token_revocations (kind, subject, issued_before, expire_at) VALUES
            ('token', 'gone', NULL, now() + interval '1 day'), ('token', 'over', NULL, now() - interval '1 second'),
            ('user', 'eve', to_timestamp($1::float8), now() + interval '1 day'),
            ('user', E'bob\nnews', to_timestamp($1::float8), now() + interval '1 day')""",
        NOW_MS / 1000,
    )
    credentials = [
        Credential("ann", "", NOW_MS, "gone"),
        Credential("ann", "", NOW_MS, "over"),
        Credential("ann", "", NOW_MS, ""),
        Credential("eve", "", NOW_MS - 1, "other"),
        Credential("eve", "", 0, ""),
        Credential("eve", "", NOW_MS + 1000, ""),
        Credential("bob", "", NOW_MS - 1, "other", "news"),
        Credential("bob", "", NOW_MS - 1, "other", "weather"),
        Credential("bob", "", NOW_MS - 1, "other"),
        Credential("ann", "", NOW_MS - 1, "gone", "news"),
        Credential("eve", "", NOW_MS - 1, "other", "news"),
    ]
    assert await revocations.refused(credentials) == {0, 3, 4, 6, 9, 10}


async def _answers(revocations):
    return await revocations.refused([]) == set()


async def test_a_dead_connection_is_replaced_at_the_next_question(revocations, plain):
    assert await revocations.refused([]) == set()
    await plain.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'revocations-under-test'"
    )
    await eventually(lambda: _answers(revocations), retry_on=(RevocationsUnknown,))


async def test_no_answer_is_said_and_not_taken_for_yes_or_no():
    away = Revocations(f"postgresql://nobody@127.0.0.1:{free_port()}/none", application_name="x")
    with pytest.raises(RevocationsUnknown):
        await away.refused([Credential("u", "s", 0)])


@pytest.mark.parametrize(
    "wrong",
    [Credential("u", "", 0, "nul \0"), Credential("half \ud800", "", 0), Credential("u", "", 2**63)],
    ids=["NUL", "surrogate", "number"],
)
async def test_what_postgres_cannot_take_is_told_from_a_database_that_is_away(revocations, wrong):
    with pytest.raises(CredentialUnaskable):
        await revocations.refused([Credential("u", "", 0), wrong])
    assert await revocations.refused([Credential("u", "", 0)]) == set()


async def test_a_blocked_user_is_refused_with_whatever_token(revocations, plain):
    await plain.execute("DELETE FROM auth.token_revocations")
    await plain.execute(
        """INSERT INTO auth.token_revocations (kind, subject, expire_at) VALUES
            ('block', 'mallory', now() + interval '1 day'), ('block', 'free again', now() - interval '1 second')"""
    )
    credentials = [
        Credential("mallory", "", NOW_MS),
        Credential("mallory", "", 0, "one", "news"),
        Credential("free again", "", NOW_MS),
        Credential("ann", "", NOW_MS),
    ]
    assert await revocations.refused(credentials) == {0, 1}
