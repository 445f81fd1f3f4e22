"""What follows from what happened."""

from uuid import uuid4

from sqlalchemy import select, text

from db.auth.events import RefreshReuseDetected
from db.events.event import known_types
from db.events.service import record
from db.mail.models import MailMessage
from db.orders.status import OrderStatus
from tasks.events.subscribers import SUBSCRIBERS
from tasks.runner import JobRunner
from tests.factories.auth import make_user
from tests.factories.orders import make_order
from tests.fixtures.jobs import Bench


async def test_an_order_is_confirmed_and_delivered_by_itself_in_the_demo(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        user = await make_user(session, email="bob@example.org")
        order = await make_order(session, user)
    ends = await bench.drain(time_passes=True)
    assert ("orders.advance", "succeeded") in ends
    async with bench.database.transaction() as session:
        mails = (await session.scalars(select(MailMessage).where(MailMessage.template == "order_confirmation"))).all()
        status = await session.scalar(text("SELECT status FROM app.orders"))
        history = (await session.execute(text("SELECT status FROM app.order_status_history ORDER BY id"))).scalars()
        assert list(history) == ["pending", "paid", "packed", "shipped", "delivered"]
    (mail,) = mails
    assert mail.to_address == "bob@example.org"
    assert order.order_number in mail.subject
    assert f"/orders/{order.id}" in mail.body_text
    assert status == OrderStatus.DELIVERED


async def test_in_production_orders_wait_for_people(bench: Bench) -> None:
    bench.runner = JobRunner(bench.settings.model_copy(update={"environment": "production"}), bench.database)
    async with bench.database.transaction() as session:
        await make_order(session)
    ends = await bench.drain(time_passes=True)
    assert "orders.advance" not in {kind for kind, _ in ends}


async def test_the_owner_of_a_copied_token_is_warned_once(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        user = await make_user(session, email="eve@example.org")
        session_id = uuid4()
        for _ in range(2):
            await record(session, RefreshReuseDetected(user_id=user.id, session_id=session_id, ip="192.0.2.1"))
    await bench.drain()
    async with bench.database.transaction() as session:
        mails = (await session.scalars(select(MailMessage).where(MailMessage.template == "security_notice"))).all()
        payloads = (
            await session.execute(text("SELECT payload FROM app.events WHERE event_type LIKE '%reuse%'"))
        ).scalars()
        assert all("ip" not in payload for payload in payloads)
    assert [mail.to_address for mail in mails] == ["eve@example.org"]


def test_every_known_event_is_counted() -> None:
    named = {kind for kind in known_types() if not kind.startswith("test")}
    conversations = {kind for kind in named if kind.startswith(("message.", "conversation."))}
    assert named - set(SUBSCRIBERS) <= conversations
