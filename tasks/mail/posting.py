"""From a letter to a queued message."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.mail.service import compose, has_room
from tasks.mail.templates import Letter

logger = structlog.get_logger(__name__)


async def post(session: AsyncSession, key: str, template: str, to_address: str, letter: Letter) -> None:
    """Queue a letter, once per `key`."""
    await compose(
        session,
        idempotency_key=key,
        template=template,
        to_address=to_address,
        subject=letter.subject,
        body_text=letter.text,
        body_html=letter.html,
    )


async def may_write(session: AsyncSession, template: str, to_address: str) -> bool:
    """Whether a mailbox takes one more of what anybody can have sent to it (UNASKED). Ask before making its link."""
    if await has_room(session, to_address):
        return True
    logger.warning("a mailbox has got enough mail that it may not have asked for", template=template)
    return False
