"""Events reach their subscribers at least once, and are handled once by each."""

from collections.abc import Mapping
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from cluster.settings import Settings
from db.auth.events import UserCreated
from db.events.models import AnalyticsEvent
from db.events.service import RecordedEvent, record
from db.mail.models import MailMessage
from tasks.events import dispatch
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench


async def test_registration_sends_one_welcome_mail_however_often_it_is_dispatched(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        await make_user(session, email="ada@example.org", username="ada")
        event_id = await session.scalar(text("SELECT id FROM app.domain_events"))
    ends = await bench.drain()
    assert ("mail.send", "succeeded") in ends
    await bench.enqueue("events.dispatch", {"event_id": str(event_id)})
    assert await bench.drain() == [("events.dispatch", "succeeded")]
    async with bench.database.transaction() as session:
        (mail,) = (await session.scalars(select(MailMessage))).all()
        (counted,) = (await session.scalars(select(AnalyticsEvent))).all()
    assert (mail.to_address, mail.template, mail.state) == ("ada@example.org", "welcome", "captured")
    assert "ada" in mail.body_text
    assert counted.event_type == "user.created"
    assert "email" not in counted.payload


async def test_a_failing_subscriber_keeps_no_other_back_and_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[str] = []
    broken = True

    async def good(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
        handled.append("good")

    async def bad(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
        await session.execute(text("INSERT INTO jobs.cron_fires VALUES ('bad was here', now(), NULL)"))
        if broken:
            raise RuntimeError("not today")
        handled.append("bad")

    subscribers: Mapping[str, object] = {UserCreated.type: {"bad": bad, "good": good}}
    monkeypatch.setattr(dispatch, "SUBSCRIBERS", subscribers)
    async with bench.database.transaction() as session:
        await record(session, UserCreated(user_id=uuid4(), email="a@b.example", username="a"))
    assert await bench.drain() == [("events.dispatch", "failed")]
    assert handled == ["good"]
    async with bench.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.cron_fires")) == 0, (
            "half a subscriber's work stayed"
        )
    broken = False
    assert await bench.drain(time_passes=True) == [("events.dispatch", "succeeded")]
    assert handled == ["good", "bad"]


async def test_an_event_that_was_pruned_is_not_tried_for_ever(bench: Bench) -> None:
    await bench.enqueue("events.dispatch", {"event_id": str(uuid4())})
    assert await bench.drain() == [("events.dispatch", "refused")]


async def test_an_event_of_newer_code_waits_for_it(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        event_id = await session.scalar(
            text("INSERT INTO app.domain_events (type, payload) VALUES ('from.the.future', '{}') RETURNING id")
        )
    await bench.enqueue("events.dispatch", {"event_id": str(event_id)})
    assert await bench.drain() == [("events.dispatch", "failed")]
