"""Mail to who tried to register what is taken."""

from sqlalchemy import select

from db.auth import service as auth
from db.mail.models import MailMessage
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench


async def test_who_tried_to_register_what_is_taken_is_told_once_a_day(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        await make_user(session, username="ada", email="ada@example.org")
        for _ in range(2):
            await auth.refuse_by_mail(session, email="ADA@example.org", username="ada", taken="email")
        await auth.refuse_by_mail(session, email="new@example.org", username="ada", taken="username")
    await bench.drain()
    async with bench.database.transaction() as session:
        found = select(MailMessage).where(MailMessage.template == "registration_refused").order_by(MailMessage.subject)
        name, account = (await session.scalars(found)).all()
    assert (account.to_address, account.subject) == ("ADA@example.org", "You have an account already")
    assert account.body_text.strip().endswith("/login")
    assert (name.to_address, name.subject) == ("new@example.org", "That name is taken")
    assert name.body_text.strip().endswith("/register")
