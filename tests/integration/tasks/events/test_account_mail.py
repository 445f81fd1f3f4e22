"""Links reach the address that they are for, and work; notices say what happened; secrets are kept nowhere else."""

import re
from collections.abc import Sequence

from sqlalchemy import select

from db.auth import password_reset, verification
from db.auth.events import PasswordChanged, SecondFactorChanged
from db.auth.models import User
from db.events.service import record
from db.mail.models import MailMessage
from db.users import service as users
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench
from tests.fixtures.transactions import in_transaction, rows

LINK = re.compile(r"#(mot_[A-Za-z0-9_-]+)")


async def newcomer(bench: Bench) -> User:
    """Somebody who has just registered, and whose first mail has been sent."""
    user = await in_transaction(bench.database, lambda s: make_user(s, email="ada@example.org", is_verified=False))
    await bench.drain()
    return user


async def mails(bench: Bench) -> Sequence[MailMessage]:
    """All of them, oldest first."""
    wanted = select(MailMessage).order_by(MailMessage.created_at, MailMessage.id)
    return await in_transaction(bench.database, lambda s: _all(s, wanted))


async def _all(session, statement):
    return (await session.scalars(statement)).all()


def secret_in(mail: MailMessage) -> str:
    found = LINK.search(mail.body_text)
    assert found is not None, mail.body_text
    return found[1]


async def test_who_registers_is_asked_to_verify_the_address(bench: Bench) -> None:
    await newcomer(bench)
    (mail,) = await mails(bench)
    assert (mail.to_address, mail.template) == ("ada@example.org", "verify_email")
    assert "/verify-email#" in mail.body_text
    assert (await in_transaction(bench.database, lambda s: verification.verify(s, secret_in(mail)))).is_verified


async def test_the_link_is_sent_again_and_only_while_it_is_needed(bench: Bench) -> None:
    user = await newcomer(bench)
    await in_transaction(bench.database, lambda s: verification.ask(s, user))
    await bench.drain()
    first, second = await mails(bench)
    for mail in (second, first):
        assert (
            await in_transaction(bench.database, lambda s, m=mail: verification.verify(s, secret_in(m)))
        ).is_verified
    await in_transaction(bench.database, lambda s: verification.ask(s, user))
    await bench.drain()
    assert len(await mails(bench)) == 2


async def test_a_forgotten_password_is_replaced_by_the_link_and_strangers_get_no_mail(bench: Bench) -> None:
    user = await newcomer(bench)
    for email in ("nobody@example.org", "ada@example.org"):
        await in_transaction(bench.database, lambda s, e=email: password_reset.request(s, e))
    await bench.drain()
    mail = (await mails(bench))[-1]
    assert len(await mails(bench)) == 2
    assert mail.to_address == "ada@example.org"
    assert "/reset-password#" in mail.body_text
    assert (
        await in_transaction(bench.database, lambda s: password_reset.spend(s, secret_in(mail), ip=None))
    ).id == user.id


async def test_secrets_are_in_the_mail_and_nowhere_else(bench: Bench) -> None:
    await newcomer(bench)
    await in_transaction(bench.database, lambda s: password_reset.request(s, "ada@example.org"))
    await bench.drain()
    elsewhere = ""
    for table in ("auth.one_time_tokens", "app.domain_events", "app.events", "jobs.history", "audit.entries"):
        elsewhere += str(await rows(bench.database, f"SELECT * FROM {table}"))
    for mail in await mails(bench):
        assert secret_in(mail) not in elsewhere
    assert "ada@example.org" not in str(await rows(bench.database, "SELECT payload FROM app.events"))


async def test_owners_are_told_what_happened(bench: Bench) -> None:
    user = await newcomer(bench)

    async def happen(session) -> None:
        await record(session, PasswordChanged(user_id=user.id))
        await record(session, SecondFactorChanged(user_id=user.id, change="code_used", codes_left=4))
        await users.update_user(session, user.id, {"email": "new@example.org"})

    await in_transaction(bench.database, happen)
    await bench.drain()
    notices = {mail.subject: mail for mail in await mails(bench) if mail.template == "security_notice"}
    assert set(notices) == {
        "Your password was changed",
        "A recovery code was used",
        "Your e-mail address was changed",
    }
    assert notices["Your e-mail address was changed"].to_address == "ada@example.org"
    assert "4 are left" in notices["A recovery code was used"].body_text
    assert not any(LINK.search(mail.body_text) for mail in notices.values())
    assert (await mails(bench))[-1].to_address in ("new@example.org", "ada@example.org")
    links = [mail for mail in await mails(bench) if mail.template == "verify_email"]
    assert links[-1].to_address == "new@example.org"
