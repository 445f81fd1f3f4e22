"""Send one message: to the SMTP server that is configured, else into the development mailbox, else to nobody."""

import re
from typing import Any
from uuid import UUID

import aiosmtplib

from cluster.settings import Settings
from db.errors import InvalidInput, Unavailable
from db.mail import service
from db.mail.models import MailMessage
from tasks.context import JobContext, Refused
from tasks.mail.message import make_message

TIMEOUT_S = 20.0
PERMANENT = range(500, 600)
"""SMTP's own distinction: 4xx asks to come back later, 5xx says never."""

ABOUT_US = frozenset({421, 530, 534, 535, 538})
"""Answers that are never about a message, whichever command they follow: the server goes away, or wants a
good sign-in."""

TOO_LARGE = frozenset({523, 552})
"""Of a message whose size was named with its sender."""

RELAYING = re.compile(r"\brelay", re.IGNORECASE)
"""Servers that do not pass our mail on say so of each recipient, in words only: the code is that of
an unknown mailbox."""

RETRY_AFTER_S = 15.0


class MailServerUnavailable(Unavailable):
    """The mail server cannot be reached, or takes nothing from us: our password, sender or name is wrong."""

    code = "mail_server_unavailable"
    default_message = "The mail server takes nothing from us at the moment."


async def send(job: JobContext) -> dict[str, Any]:
    """Job `mail.send` (args: mail_id).

    Sent at least once: a crash between the server's answer and our note sends it again, under the same Message-ID.
    Raises MailServerUnavailable, which uses up no attempt: what is wrong with the server or our settings is wrong with
    every message, and will be put right.
    """
    mail_id = UUID(str(job.args["mail_id"]))
    async with job.transaction() as session:
        try:
            mail = await service.begin(session, mail_id, job.id)
        except service.MailNotFound as error:
            raise Refused("the message was pruned") from error
        if mail.state != "queued":
            return {"state": mail.state}
        if mail.job_id != job.id:
            raise Refused("another job sends this message")
    if job.settings.mail_off or not job.settings.smtp_host:
        if job.settings.environment == "production":  # which has no mailbox: kept, links would wait there for a reader
            return await _note(
                job, mail_id, "failed", error="not sent: there is no mail server (SMTP_HOST), or mail is off (MAIL_OFF)"
            )
        return await _note(job, mail_id, "captured")
    try:
        await _deliver(job.settings, mail)
    except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as error:
        if not _permanent(error) and not job.last_attempt:
            raise
        await _note(job, mail_id, "failed", error=str(error))
        raise Refused(f"the mail server refused it: {error}") from error
    except InvalidInput as error:
        await _note(job, mail_id, "failed", error=str(error))
        raise Refused(str(error)) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        if job.last_attempt:
            await _note(job, mail_id, "failed", error=str(error))
        raise
    return await _note(job, mail_id, "sent")


async def _deliver(settings: Settings, mail: MailMessage) -> None:
    message = make_message(mail, sender=settings.mail_from)
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user or None,
        password=settings.smtp_password.get_secret_value() or None,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        timeout=TIMEOUT_S,
    )
    try:
        await client.connect()  # up to our sign-in: nothing has been said of the message yet
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailServerUnavailable(str(error), retry_after_s=RETRY_AFTER_S) from error
    async with client:
        try:
            await client.send_message(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            if _about_us(error):
                raise MailServerUnavailable(str(error), retry_after_s=RETRY_AFTER_S) from error
            raise


async def _note(job: JobContext, mail_id: UUID, state: str, *, error: str | None = None) -> dict[str, Any]:
    async with job.transaction() as session:
        await service.mark(session, mail_id, state, error=error)
    return {"state": state}


def _about_us(error: Exception) -> bool:
    """Whether the server refuses us, rather than this message."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return any(refused.code in ABOUT_US or RELAYING.search(refused.message) for refused in error.recipients)
    if isinstance(error, aiosmtplib.SMTPDataError):
        return error.code in ABOUT_US
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and error.code in TOO_LARGE:
        return False
    return isinstance(error, aiosmtplib.SMTPResponseException)


def _permanent(
    error: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError | aiosmtplib.SMTPSenderRefused,
) -> bool:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code in PERMANENT for refused in error.recipients)
    return error.code in PERMANENT
