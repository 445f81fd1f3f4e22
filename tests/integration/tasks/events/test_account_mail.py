"""Links reach the address that they are for, and work; notices say what happened; secrets are kept nowhere else."""

import re
from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import select

from db.audit.callers import CALLER, Caller
from db.auth import password_reset, verification
from db.auth.events import PasswordChanged, SecondFactorChanged
from db.auth.models import User
from db.events.service import record
from db.mail.models import MailMessage
from db.mail.service import UNASKED_PER_HOUR
from db.passkeys.events import PasskeyChanged
from db.users import service as users
from tasks.mail.posting import post
from tasks.mail.templates import Letter
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench
from tests.fixtures.transactions import in_transaction, rows

LETTER = Letter("Hello", "Hello", "<p>Hello</p>")
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
    assert (await in_transaction(bench.database, lambda s: password_reset.spend(s, secret_in(mail)))).id == user.id


async def test_the_trail_says_who_asked_for_a_new_password_though_a_job_writes_it(bench: Bench) -> None:
    await newcomer(bench)
    asked = CALLER.set(Caller("192.0.2.1", "r-1"))
    try:
        await in_transaction(bench.database, lambda s: password_reset.request(s, "ada@example.org"))
    finally:
        CALLER.reset(asked)
    await bench.drain()
    found = await rows(
        bench.database, "SELECT ip, request_id FROM audit.entries WHERE action = 'password.reset_requested'"
    )
    assert [tuple(row) for row in found] == [("192.0.2.1", "r-1")]


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
        for change in ("added", "copied", "copied"):
            changed = PasskeyChanged(user_id=user.id, passkey_id=user.id, change=change, passkey="my telephone")
            await record(session, changed)
        await users.update_user(session, user.id, {"email": "new@example.org"})

    await in_transaction(bench.database, happen)
    await bench.drain()
    notices = {
        mail.subject: mail for mail in await mails(bench) if mail.template in ("security_notice", "address_notice")
    }
    assert set(notices) == {
        "Your password was changed",
        "A recovery code was used",
        "A passkey was added",
        "A passkey may have been copied",
        "Your e-mail address was changed",
    }
    assert notices["Your e-mail address was changed"].to_address == "ada@example.org"
    assert "4 are left" in notices["A recovery code was used"].body_text
    assert "“my telephone”" in notices["A passkey was added"].body_text
    analysed = await rows(
        bench.database, "SELECT payload FROM app.events WHERE event_type LIKE '%passkey%' ORDER BY id"
    )
    assert [payload for (payload,) in analysed] == [
        {"user_id": str(user.id), "passkey_id": str(user.id), "change": change}
        for change in ("added", "copied", "copied")
    ]
    assert len(notices) == len([m for m in await mails(bench) if m.template in ("security_notice", "address_notice")])
    assert not any(LINK.search(mail.body_text) for mail in notices.values())
    assert (await mails(bench))[-1].to_address in ("new@example.org", "ada@example.org")
    links = [mail for mail in await mails(bench) if mail.template == "verify_email"]
    assert links[-1].to_address == "new@example.org"


async def test_a_mailbox_is_not_filled_by_accounts_that_come_and_go(bench: Bench) -> None:
    """Whoever registers an address has mail sent to it, and what follows a plus is the same mailbox."""
    for number in range(UNASKED_PER_HOUR + 2):
        email = f"Victim+{number}@example.org" if number % 2 else "victim@example.org"

        async def come_and_go(session, email=email) -> None:
            user = await make_user(session, email=email, is_verified=False)
            await users.delete_user(session, user.id)

        await in_transaction(bench.database, come_and_go)
        await bench.drain()
    assert len(await mails(bench)) == UNASKED_PER_HOUR
    await in_transaction(bench.database, lambda s: make_user(s, email="other@example.org", is_verified=False))
    await bench.drain()
    assert (await mails(bench))[-1].to_address == "other@example.org"


async def test_notices_to_an_owner_arrive_however_much_strangers_had_sent(bench: Bench) -> None:
    user = await newcomer(bench)
    await in_transaction(bench.database, lambda s: users.update_user(s, user.id, {"is_verified": True}))
    for _ in range(UNASKED_PER_HOUR):
        await in_transaction(bench.database, lambda s: post(s, uuid4().hex, "welcome", user.email, LETTER))
    await in_transaction(bench.database, lambda s: users.update_user(s, user.id, {"email": "new@example.org"}))
    await bench.drain()
    assert "Your e-mail address was changed" in [mail.subject for mail in await mails(bench)]


async def test_an_address_that_was_never_verified_is_not_told_for_ever(bench: Bench) -> None:
    """An account that alternates between somebody's address and its own."""
    user = await newcomer(bench)
    for number in range(UNASKED_PER_HOUR + 2):
        email = f"own{number}@example.org" if number % 2 else "victim@example.org"
        await in_transaction(bench.database, lambda s, e=email: users.update_user(s, user.id, {"email": e}))
        await bench.drain()
    assert len([mail for mail in await mails(bench) if mail.to_address == "victim@example.org"]) == UNASKED_PER_HOUR
