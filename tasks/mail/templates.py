"""What our mails say."""

from dataclasses import dataclass
from html import escape

STYLE = "font-family:system-ui,sans-serif;max-width:34rem;margin:2rem auto;line-height:1.5;color:#1a1d21"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's subject and bodies."""

    subject: str
    text: str
    html: str


def welcome(username: str, public_url: str) -> Letter:
    """After registration."""
    return _letter(
        "Welcome to Mobula",
        [f"Hello {username},", "your account is ready. Sign in and have a look around:"],
        public_url,
    )


def order_confirmation(username: str, order_number: str, total: str, currency: str, link: str) -> Letter:
    """After an order was placed."""
    return _letter(
        f"We have your order {order_number}",
        [
            f"Hello {username},",
            f"thank you for your order {order_number} over {total} {currency}. You can follow it live:",
        ],
        link,
    )


def security_notice(username: str, link: str) -> Letter:
    """After a copied refresh token was noticed."""
    return _letter(
        "A session of yours was ended",
        [
            f"Hello {username},",
            "a sign-in token of your account was used twice, which happens when somebody copied it. We ended that"
            " session. If this was not you, change your password and look at your sessions:",
        ],
        link,
    )


def _letter(subject: str, paragraphs: list[str], link: str) -> Letter:
    text = "\n\n".join([*paragraphs, link]) + "\n"
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    address = escape(link, quote=True)
    html = f'<!doctype html><div style="{STYLE}">{body}<p><a href="{address}">{escape(link)}</a></p></div>'
    return Letter(subject, text, html)
