"""What is old goes, what is new stays, one failure keeps no other table back."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tasks.maintenance import prune
from tests.fixtures.jobs import Bench

OLD_AND_NEW = """
INSERT INTO app.mail_messages (idempotency_key, template, to_address, subject, body_text, created_at) VALUES
    ('old', 't', 'a@b', 's', 'b', now() - interval '60 days'), ('new', 't', 'a@b', 's', 'b', now());
INSERT INTO app.cache_invalidations (keys, tags, created_at) VALUES
    ('{old}', '{}', now() - interval '2 hours'), ('{new}', '{}', now());
INSERT INTO app.domain_events (type, payload, occurred_at) VALUES
    ('old', '{}', now() - interval '60 days'), ('new', '{}', now());
"""


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


async def test_one_failure_keeps_nothing_else_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(session: AsyncSession) -> int:
        raise RuntimeError("this table is locked")

    steps: dict[str, Callable[[AsyncSession], Awaitable[int]]] = {"broken": broken, **prune.STEPS}
    monkeypatch.setattr(prune, "STEPS", steps)
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


async def test_out_of_time_the_rest_is_for_the_next_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(session: AsyncSession) -> int:
        return prune.BATCH

    monkeypatch.setattr(prune, "STEPS", {"endless": endless})
    monkeypatch.setattr(prune, "BUDGET_S", 0.2)
    await bench.enqueue("maintenance.prune", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "succeeded"
    assert outcome.result["endless"] >= prune.BATCH
