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


def welcome_to_verify(username: str, link: str) -> Letter:
    """After registration, when the address has not been verified."""
    return _letter(
        "Welcome to Mobula: confirm your e-mail address",
        [
            f"Hello {username},",
            "your account is ready. Confirm that this address is yours by following this link within a day:",
        ],
        link,
    )


def verify_email(username: str, link: str) -> Letter:
    """After the address changed, or when the link was asked for again."""
    return _letter(
        "Confirm your e-mail address",
        [
            f"Hello {username},",
            "confirm that this address is yours by following this link within a day. If you have no account with us,"
            " somebody mistyped theirs: do nothing.",
        ],
        link,
    )


def reset_password(username: str, link: str) -> Letter:
    """Somebody forgot their password, or says so."""
    return _letter(
        "Choose a new password",
        [
            f"Hello {username},",
            "somebody, probably you, asked for a new password for your account. Choose one within half an hour:",
            "If it was not you, do nothing: without this link your password stays as it is.",
        ],
        link,
    )


def password_changed(username: str, link: str) -> Letter:
    """After a password was changed or reset."""
    return _letter(
        "Your password was changed",
        [
            f"Hello {username},",
            "the password of your account was changed, and other devices were signed out. If this was not you, choose"
            " a new one at once:",
        ],
        link,
    )


def email_changed(username: str, link: str) -> Letter:
    """To the old address, after an account got a new one."""
    return _letter(
        "Your e-mail address was changed",
        [
            f"Hello {username},",
            "your account has a new e-mail address, and we will not write to this one any more. If this was not you,"
            " sign in and change it back, or ask us for help:",
        ],
        link,
    )


SECOND_FACTOR = {
    "enabled": (
        "Two-step sign-in is on",
        "signing in to your account now asks for a code of your authenticator app. Other devices were signed out.",
    ),
    "disabled": ("Two-step sign-in is off", "signing in to your account asks for your password only from now on."),
    "removed": (
        "Two-step sign-in was switched off for you",
        "an administrator removed the authenticator app of your account. Set it up again when you have signed in.",
    ),
    "codes_renewed": ("You have new recovery codes", "your old recovery codes do not work any more."),
    "code_used": ("A recovery code was used", "a recovery code of your account was used; {left} are left."),
    "guessed": (
        "Somebody knows your password",
        "somebody signed in with your password and gave wrong codes until we stopped them. Unless that was you, choose"
        " a new password.",
    ),
}
"""What happened to a second factor → subject, and the sentence about it."""


def second_factor_changed(username: str, change: str, codes_left: int, link: str) -> Letter:
    """After something happened to a second factor; `change` is a key of SECOND_FACTOR."""
    subject, sentence = SECOND_FACTOR[change]
    return _warning(username, subject, sentence.format(left=codes_left), link)


PASSKEYS = {
    "added": ("A passkey was added", "whoever holds the passkey “{name}” can sign in to your account from now on."),
    "removed": ("A passkey was removed", "the passkey “{name}” does not sign in to your account any more."),
    "copied": (
        "A passkey may have been copied",
        "somebody tried to sign in with the passkey “{name}”, and it looked like a copy. We refused it. Remove this"
        " passkey and add a new one.",
    ),
}
"""What happened to a passkey → subject, and the sentence about it."""


def passkey_changed(username: str, change: str, name: str, link: str) -> Letter:
    """After something happened to a passkey; `change` is a key of PASSKEYS, `name` what its owner calls it."""
    subject, sentence = PASSKEYS[change]
    return _warning(username, subject, sentence.format(name=name), link)


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


def already_registered(link: str) -> Letter:
    """Somebody tried to register with an address that has an account."""
    return _letter(
        "You have an account already",
        [
            "Hello,",
            "somebody, probably you, tried to register with this address, which has an account already. Nothing was"
            " changed. Sign in with it:",
        ],
        link,
    )


def username_taken(username: str, link: str) -> Letter:
    """Somebody tried to register under a name that another account has."""
    return _letter(
        "That name is taken",
        [
            "Hello,",
            f"somebody, probably you, tried to register with this address under the name {username}, which is taken."
            " No account was made. Choose another name:",
        ],
        link,
    )


def _warning(username: str, subject: str, sentence: str, link: str) -> Letter:
    """After something that only the account's owner should do."""
    paragraphs = [f"Hello {username},", sentence, "If this was not you, look at your account at once:"]
    return _letter(subject, paragraphs, link)


def _letter(subject: str, paragraphs: list[str], link: str) -> Letter:
    text = "\n\n".join([*paragraphs, link]) + "\n"
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    address = escape(link, quote=True)
    html = f'<!doctype html><div style="{STYLE}">{body}<p><a href="{address}">{escape(link)}</a></p></div>'
    return Letter(subject, text, html)
