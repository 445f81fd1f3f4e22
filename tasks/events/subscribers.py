"""Who does what when something happened. Each runs in a transaction that also notes the delivery."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from cluster.settings import Settings
from db.auth.events import (
    EmailChanged,
    PasswordChanged,
    PasswordResetRequested,
    RefreshReuseDetected,
    RegistrationRefused,
    SecondFactorChanged,
    UserCreated,
    VerificationRequested,
)
from db.auth.models import User
from db.events.service import NewAnalyticsEvent, RecordedEvent, record_analytics
from db.jobs.queue import enqueue
from db.orders.events import OrderCancelled, OrderPlaced, OrderStatusChanged
from db.passkeys.events import PasskeyChanged
from db.products.events import ProductChanged
from db.users.events import UserDeleted, UserUpdated
from tasks.events import account_mail, registrations
from tasks.mail.posting import post
from tasks.mail.templates import order_confirmation
from tasks.orders.advance import FIRST_STEP_S, QUEUE

Subscriber = Callable[[AsyncSession, RecordedEvent, Settings], Awaitable[None]]

PRIVATE_FIELDS = frozenset({"email", "old_email", "ip", "passkey"})
"""Analytics keeps ids, not what identifies a person."""


async def send_confirmation(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """OrderPlaced: the confirmation e-mail."""
    event = cast("OrderPlaced", recorded.event)
    user = await session.get(User, event.user_id)
    if user is None or user.deleted_at is not None:
        return
    letter = order_confirmation(
        user.username,
        event.order_number,
        f"{event.total_amount:.2f}",
        event.currency,
        f"{settings.public_url}/orders/{event.order_id}",
    )
    await post(session, f"order:{event.order_id}", "order_confirmation", user.email, letter)


async def begin_demo_delivery(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """OrderPlaced, outside production: the order moves on by itself, so that a person sees its status change live."""
    if settings.environment == "production":
        return
    event = cast("OrderPlaced", recorded.event)
    args = {"order_id": str(event.order_id), "status": "pending"}
    run_at = datetime.now(UTC) + timedelta(seconds=FIRST_STEP_S)
    await enqueue(session, "orders.advance", args, queue=QUEUE, run_at=run_at, user_id=event.user_id)


async def count_it(session: AsyncSession, recorded: RecordedEvent, settings: Settings) -> None:
    """Every event: a row of the analytics stream."""
    payload = {k: v for k, v in recorded.event.model_dump(mode="json").items() if k not in PRIVATE_FIELDS}
    user_id = getattr(recorded.event, "user_id", None) or recorded.actor_id
    event = NewAnalyticsEvent(
        event_type=recorded.event.type[:50], payload=payload, user_id=user_id, created_at=recorded.occurred_at
    )
    await record_analytics(session, [event])


SUBSCRIBERS: Mapping[str, Mapping[str, Subscriber]] = {
    UserCreated.type: {"mail.welcome": account_mail.welcome, "analytics": count_it},
    RegistrationRefused.type: {"mail.registration_refused": registrations.explain, "analytics": count_it},
    UserUpdated.type: {"analytics": count_it},
    UserDeleted.type: {"analytics": count_it},
    RefreshReuseDetected.type: {"mail.security_notice": account_mail.reuse_notice, "analytics": count_it},
    VerificationRequested.type: {"mail.verification": account_mail.verification_link, "analytics": count_it},
    PasswordResetRequested.type: {"mail.password_reset": account_mail.reset_link, "analytics": count_it},
    PasswordChanged.type: {"mail.password_changed": account_mail.password_notice, "analytics": count_it},
    EmailChanged.type: {"mail.email_changed": account_mail.address_notice, "analytics": count_it},
    SecondFactorChanged.type: {"mail.second_factor": account_mail.second_factor_notice, "analytics": count_it},
    PasskeyChanged.type: {"mail.passkey": account_mail.passkey_notice, "analytics": count_it},
    OrderPlaced.type: {
        "mail.confirmation": send_confirmation,
        "orders.demo_delivery": begin_demo_delivery,
        "analytics": count_it,
    },
    OrderStatusChanged.type: {"analytics": count_it},
    OrderCancelled.type: {"analytics": count_it},
    ProductChanged.type: {"analytics": count_it},
}
"""Type of event → name of the subscriber → what it does. A name never changes: deliveries are noted under it."""
