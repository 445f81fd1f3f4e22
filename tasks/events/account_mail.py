"""Subscribers that write to the owner of an account: links to follow, and notices of what happened to it.

The secret of a link is made here, in the transaction that writes its mail, and is nowhere else: a retry that finds the
delivery noted makes none, and one that does not makes another, of which only the last works. A link carries it behind
`#`, which browsers keep to themselves.
"""

from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from cluster.settings import Settings
from db.audit.callers import CALLER, Caller
from db.auth import password_reset, verification
from db.auth.events import (
    EmailChanged,
    PasswordChanged,
    PasswordResetRequested,
    RefreshReuseDetected,
    SecondFactorChanged,
    UserCreated,
    VerificationRequested,
)
from db.auth.repository import live_user
from db.events.service import RecordedEvent
from db.mail.service import ADDRESS_NOTICE, RESET_PASSWORD, VERIFY_EMAIL, WELCOME
from db.passkeys.events import PasskeyChanged
from tasks.mail import templates
from tasks.mail.posting import may_write, post

SECURITY = "security_notice"


async def welcome(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """UserCreated: the welcome mail, with the link that verifies the address unless that is done already."""
    event = cast("UserCreated", recorded.event)
    user = await live_user(session, event.user_id)
    key = f"welcome:{event.user_id}"
    if not await may_write(session, WELCOME, event.email if user is None else user.email):
        return
    if user is None or user.is_verified:
        letter = templates.welcome(event.username, settings.public_url)
        await post(session, key, WELCOME, event.email, letter)
        return
    link = _verification_link(settings, await verification.issue(session, user))
    await post(session, key, VERIFY_EMAIL, user.email, templates.welcome_to_verify(user.username, link))


async def verification_link(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """VerificationRequested: the link that verifies the address."""
    event = cast("VerificationRequested", recorded.event)
    armed = await verification.arm(session, event.token_id)
    if armed is None or not await may_write(session, VERIFY_EMAIL, armed[0].email):
        return
    user, text = armed
    letter = templates.verify_email(user.username, _verification_link(settings, text))
    await post(session, f"verify:{event.token_id}", VERIFY_EMAIL, user.email, letter)


async def reset_link(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """PasswordResetRequested: the link to choose a new password, if there is such an account."""
    event = cast("PasswordResetRequested", recorded.event)
    asked = CALLER.set(Caller(event.ip, event.request_id))
    try:
        link = await password_reset.begin(session, event.email)
    finally:
        CALLER.reset(asked)
    if link is None:
        return
    letter = templates.reset_password(link.user.username, f"{settings.public_url}/reset-password#{link.text}")
    await post(session, f"reset:{recorded.id}", RESET_PASSWORD, link.user.email, letter)


async def reuse_notice(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """RefreshReuseDetected: a session was ended because its token had been copied."""
    event = cast("RefreshReuseDetected", recorded.event)
    user = await live_user(session, event.user_id)
    if user is not None:
        letter = templates.security_notice(user.username, f"{settings.public_url}/settings?tab=sessions")
        await post(session, f"reuse:{event.session_id}", SECURITY, user.email, letter)


async def password_notice(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """PasswordChanged: it happened."""
    event = cast("PasswordChanged", recorded.event)
    user = await live_user(session, event.user_id)
    if user is not None:
        letter = templates.password_changed(user.username, f"{settings.public_url}/forgot-password")
        await post(session, f"password:{recorded.id}", SECURITY, user.email, letter)


async def address_notice(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """EmailChanged: to the old address. One that was never verified may be anybody's."""
    event = cast("EmailChanged", recorded.event)
    user = await live_user(session, event.user_id)
    template = SECURITY if event.was_verified else ADDRESS_NOTICE
    if user is None or (not event.was_verified and not await may_write(session, template, event.old_email)):
        return
    letter = templates.email_changed(user.username, f"{settings.public_url}/settings")
    await post(session, f"address:{recorded.id}", template, event.old_email, letter)


async def second_factor_notice(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """SecondFactorChanged: what happened to it."""
    event = cast("SecondFactorChanged", recorded.event)
    user = await live_user(session, event.user_id)
    if user is not None:
        link = f"{settings.public_url}/settings?tab=security"
        letter = templates.second_factor_changed(user.username, event.change, event.codes_left, link)
        await post(session, f"second-factor:{recorded.id}", SECURITY, user.email, letter)


async def passkey_notice(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """PasskeyChanged: what happened to it. That it may have been copied is said once a day, however often it shows."""
    event = cast("PasskeyChanged", recorded.event)
    user = await live_user(session, event.user_id)
    if user is not None:
        what = f"{event.passkey_id}:{recorded.occurred_at:%Y-%m-%d}" if event.change == "copied" else str(recorded.id)
        link = f"{settings.public_url}/settings?tab=security"
        letter = templates.passkey_changed(user.username, event.change, event.passkey, link)
        await post(session, f"passkey:{what}", SECURITY, user.email, letter)


def _verification_link(settings: Settings, text: str) -> str:
    return f"{settings.public_url}/verify-email#{text}"
