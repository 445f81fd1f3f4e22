"""After a new first key everything is written again; what is not is reported, and none is said to be left too early."""

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from tasks.maintenance import reseal
from tasks.runner import JobRunner
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench
from tests.fixtures.second_factor import KEY, begin
from tests.fixtures.transactions import in_transaction

NEW = "a newer key of these tests"


@pytest.fixture
async def five(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """More apps than two batches hold."""
    monkeypatch.setattr(reseal, "BATCH", 2)
    for _ in range(5):
        await begin(bench.database, await in_transaction(bench.database, make_user))


async def run(bench: Bench, keys: str) -> Any:
    bench.runner = JobRunner(bench.settings.model_copy(update={"encryption_key": SecretStr(keys)}), bench.database)
    await bench.enqueue("maintenance.reseal", {})
    (job,) = [job for job in await bench.claim() if job.kind == "maintenance.reseal"]
    outcome = await bench.run(job)
    assert outcome.state == "succeeded", outcome.error
    await bench.settle(job, outcome)
    return outcome.result


@pytest.mark.usefixtures("five")
async def test_goes_on_until_nothing_is_left(bench: Bench) -> None:
    assert await run(bench, NEW) == {"resealed": 0, "left": 5, "unreadable": 5}
    assert await run(bench, f"{NEW}, {KEY}") == {"resealed": 5, "left": 0, "unreadable": 0}
    assert await run(bench, NEW) == {"resealed": 0, "left": 0, "unreadable": 0}


@pytest.mark.usefixtures("five")
async def test_values_that_somebody_holds_are_left(bench: Bench) -> None:
    async with bench.database.transaction() as holder:
        await holder.execute(text("SELECT FROM auth.totp_credentials ORDER BY user_id LIMIT 3 FOR UPDATE"))
        assert await run(bench, f"{NEW}, {KEY}") == {"resealed": 2, "left": 3, "unreadable": 0}
    assert await run(bench, f"{NEW}, {KEY}") == {"resealed": 3, "left": 0, "unreadable": 0}


@pytest.mark.usefixtures("five")
async def test_values_without_a_key_hide_none_behind_them(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        await session.execute(
            text(
                "UPDATE auth.totp_credentials SET secret_encrypted = overlay(secret_encrypted placing '\\x01ffffffff'"
                " from 1) WHERE user_id IN (SELECT user_id FROM auth.totp_credentials ORDER BY user_id LIMIT 3)"
            )
        )
    assert await run(bench, f"{NEW}, {KEY}") == {"resealed": 2, "left": 3, "unreadable": 3}
