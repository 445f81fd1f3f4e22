"""What is old goes, what is new stays, one failure keeps no other table back."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tasks.maintenance import prune
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench

OLD_AND_NEW = """
INSERT INTO app.mail_messages (idempotency_key, template, to_address, subject, body_text, created_at) VALUES
    ('old', 't', 'a@b', 's', 'b', now() - interval '60 days'), ('new', 't', 'a@b', 's', 'b', now());
INSERT INTO app.cache_invalidations (keys, tags, created_at) VALUES
    ('{old}', '{}', now() - interval '2 hours'), ('{new}', '{}', now());
INSERT INTO app.domain_events (type, payload, occurred_at) VALUES
    ('old', '{}', now() - interval '60 days'), ('new', '{}', now());
"""

THREE_OLD = {
    "cron_fires": "INSERT INTO jobs.cron_fires (schedule, fire_at)"
    " SELECT 's', now() - make_interval(days => i) FROM generate_series(3, 5) i UNION ALL SELECT 's', now()",
    "nodes": "INSERT INTO jobs.nodes (boot, node, last_seen_at)"
    " SELECT gen_random_uuid(), 'n', now() - interval '2 days' FROM generate_series(1, 3)",
    "mail": "INSERT INTO app.mail_messages (idempotency_key, template, to_address, subject, body_text, created_at)"
    " SELECT i::text, 't', 'a@b', 's', 'b', now() - interval '60 days' FROM generate_series(1, 3) i",
    "domain_events": "INSERT INTO app.domain_events (type, payload, occurred_at)"
    " SELECT 'old', '{}', now() - interval '60 days' FROM generate_series(1, 3)",
    "notifications": "INSERT INTO app.notifications (user_id, kind, title, created_at)"
    " SELECT id, 'k', 't', now() - interval '400 days' FROM auth.users",
    "idempotency_keys": "INSERT INTO app.idempotency_keys"
    " (principal, route, key, fingerprint, status_code, headers, body, created_at, expires_at)"
    " SELECT 'p', 'r', i::text, '', 200, '{}', '', now(), now() - interval '1 day' FROM generate_series(1, 3) i",
    "login_attempts": "INSERT INTO auth.login_attempts (account, at)"
    " SELECT 'a', now() - interval '60 days' FROM generate_series(1, 3)",
    "one_time_tokens": "INSERT INTO auth.one_time_tokens (user_id, purpose, token_sha256, expires_at)"
    " SELECT id, 'p', id::text::bytea, now() - interval '2 days' FROM auth.users",
    "second_factor_enrolments": "INSERT INTO auth.totp_credentials (user_id, secret_encrypted, created_at)"
    " SELECT id, '', now() - interval '2 days' FROM auth.users",
    "passkey_challenges": "INSERT INTO auth.webauthn_challenges (challenge_sha256, expires_at)"
    " SELECT i::text::bytea, now() - interval '1 second' FROM generate_series(1, 3) i"
    " UNION ALL SELECT 'new', now() + interval '1 minute'",
    "sessions": "INSERT INTO auth.sessions (user_id, absolute_expires_at)"
    " SELECT id, now() - interval '60 days' FROM auth.users",
    "token_revocations": "INSERT INTO auth.token_revocations (kind, subject, expire_at)"
    " SELECT 'token', i::text, now() - interval '1 day' FROM generate_series(1, 3) i",
    "session_events": "INSERT INTO app.session_events (kind, client, user_id, session, channel, hub, occurred_at)"
    " SELECT 'connected', 'c', '', '', '', 'h', now() - interval '9 days' FROM generate_series(1, 3)",
    "cache_invalidations": "INSERT INTO app.cache_invalidations (keys, tags, created_at)"
    " SELECT '{old}', '{}', now() - interval '2 hours' FROM generate_series(1, 3)",
}
"""Per step: three rows that are old, where there are three users."""


async def fill(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        for statement in OLD_AND_NEW.split(";"):
            if statement.strip():
                await session.execute(text(statement))


async def left(bench: Bench) -> dict[str, list[str]]:
    async with bench.database.transaction() as session:
        return {
            "mail": list((await session.execute(text("SELECT idempotency_key FROM app.mail_messages"))).scalars()),
            "cache": list((await session.execute(text("SELECT keys[1] FROM app.cache_invalidations"))).scalars()),
            "events": list((await session.execute(text("SELECT type FROM app.domain_events"))).scalars()),
        }


async def test_removes_what_is_old_and_nothing_else(bench: Bench) -> None:
    await fill(bench)
    await bench.enqueue("maintenance.prune", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "succeeded", outcome.error
    assert {name: outcome.result[name] for name in ("mail", "cache_invalidations", "domain_events")} == {
        "mail": 1,
        "cache_invalidations": 1,
        "domain_events": 1,
    }
    assert await left(bench) == {"mail": ["new"], "cache": ["new"], "events": ["new"]}


async def test_notices_go_sooner_once_they_are_read(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        user = await make_user(session)
        for title, age, read in (
            ("read long ago", 91, True), ("read lately", 89, True), ("not read", 364, False),
            ("never read", 366, False),
        ):  # fmt: skip
            await session.execute(
                text(
                    "INSERT INTO app.notifications (user_id, kind, title, created_at, read_at)"
                    " VALUES (:user, 'k', :title, now() - make_interval(days => :age), CASE WHEN :read THEN now() END)"
                ),
                {"user": user.id, "title": title, "age": age, "read": read},
            )
        assert await prune.STEPS["notifications"](session, limit=10) == 2
        left = await session.scalars(text("SELECT title FROM app.notifications ORDER BY created_at"))
        assert left.all() == ["not read", "read lately"]


async def test_one_failure_keeps_nothing_else_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(session: AsyncSession, *, limit: int) -> int:
        raise RuntimeError("this table is locked")

    monkeypatch.setattr(prune, "STEPS", {"broken": broken, **prune.STEPS})
    await fill(bench)
    await bench.enqueue("maintenance.prune", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "failed"
    assert "while pruning broken" in outcome.error
    assert (await left(bench))["mail"] == ["new"]


async def test_goes_on_until_nothing_is_old(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "BATCH", 2)
    async with bench.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO app.domain_events (type, payload, occurred_at)"
                " SELECT 'old', '{}', now() - interval '60 days' FROM generate_series(1, 7)"
            )
        )
        await session.execute(
            text(
                "INSERT INTO app.session_events (kind, client, user_id, session, channel, hub, occurred_at)"
                " SELECT 'connected', 'c', '', '', '', 'h', now() - interval '9 days' FROM generate_series(1, 7)"
            )
        )
    await bench.enqueue("maintenance.prune", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert (outcome.result["domain_events"], outcome.result["session_events"]) == (7, 7)


@pytest.mark.parametrize("name", prune.STEPS)
async def test_no_statement_deletes_more_than_a_batch(bench: Bench, name: str) -> None:
    async with bench.database.transaction() as session:
        for _ in range(3):
            await make_user(session)
        await session.execute(text("DELETE FROM app.domain_events"))
    async with bench.database.transaction() as session:
        await session.execute(text(THREE_OLD[name]))
    gone = []
    for _ in range(3):
        async with bench.database.transaction() as session:
            gone.append(await prune.STEPS[name](session, limit=2))
    assert gone == [2, 1, 0]


async def test_out_of_time_the_rest_is_for_the_next_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(session: AsyncSession, *, limit: int) -> int:
        return limit

    monkeypatch.setattr(prune, "STEPS", {"endless": endless})
    monkeypatch.setattr(prune, "BUDGET_S", 0.2)
    await bench.enqueue("maintenance.prune", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "succeeded"
    assert outcome.result["endless"] >= prune.BATCH
