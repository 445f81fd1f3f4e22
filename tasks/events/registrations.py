"""Who tried to register what is taken hears of it by mail: with HIDE_ACCOUNTS, the request's answer says nothing."""

from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from cluster.settings import Settings
from db.auth.events import RegistrationRefused
from db.events.service import RecordedEvent
from db.mail.service import REGISTRATION_REFUSED
from tasks.mail.posting import may_write, post
from tasks.mail.templates import already_registered, username_taken


async def explain(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """RegistrationRefused: one mail a day and address, however often somebody tries."""
    event = cast("RegistrationRefused", recorded.event)
    if not await may_write(session, REGISTRATION_REFUSED, event.email):
        return
    if event.taken == "email":
        letter = already_registered(f"{settings.public_url}/login")
    else:
        letter = username_taken(event.username, f"{settings.public_url}/register")
    key = f"registration:{event.taken}:{event.email.lower()}:{recorded.occurred_at.date()}"
    await post(session, key, REGISTRATION_REFUSED, event.email, letter)
