"""The development mailbox over HTTP."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from serve_app.schemas import ResourceSchema


class MailSummary(ResourceSchema):
    """A message in the list."""

    id: UUID
    template: str
    to_address: str = Field(alias="to")
    subject: str
    created_at: datetime


class MailMessage(MailSummary):
    """A message with its bodies."""

    body_text: str
    body_html: str | None
