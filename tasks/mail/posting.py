"""From a letter to a queued message."""

from sqlalchemy.ext.asyncio import AsyncSession

from db.mail.service import compose
from tasks.mail.templates import Letter


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
