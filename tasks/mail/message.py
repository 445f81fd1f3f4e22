"""From a row to an e-mail."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from email_validator import EmailNotValidError, validate_email

from db.mail.models import MailMessage
from db.mail.service import refuse_control_characters


def make_message(mail: MailMessage, *, sender: str) -> EmailMessage:
    """The message to send. Its Message-ID comes from the row, so a second sending is recognised as the same mail.

    Raises InvalidInput for a value that would start a header of its own.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = refuse_control_characters(sender, "mail_from")
    message["To"] = _with_ascii_domain(refuse_control_characters(mail.to_address, "to_address"))
    message["Subject"] = refuse_control_characters(mail.subject, "subject")
    message["Date"] = format_datetime(mail.created_at)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{mail.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body_text)
    if mail.body_html is not None:
        message.add_alternative(mail.body_html, subtype="html")
    return message


def _with_ascii_domain(address: str) -> str:
    """Domains have a form that every server takes (IDNA); what is before the `@` has none, and needs SMTPUTF8."""
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{validate_email(address, check_deliverability=False).ascii_domain}"
    except EmailNotValidError:
        return address
