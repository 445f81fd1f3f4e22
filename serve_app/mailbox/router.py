"""The development mailbox. It answers 404 in production, where mail is sent or off, and never kept to be read."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from db.mail import service
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.links import self_link
from serve_app.mailbox.schemas import MailMessage, MailSummary
from serve_app.openapi_parts import problems
from serve_app.pagination import MAX_LIMIT, numbered
from serve_app.schemas import Page
from serve_app.security.principal import Principal

PATH = "/dev/mailbox"

router = APIRouter(prefix=PATH, tags=["mailbox"])

MailReader = Annotated[Principal, Depends(require("mailbox:read"))]


class MailQuery(BaseModel):
    """Filters of the mailbox."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str | None, Field(max_length=255, description="Only mail to this address.")] = None
    page: Annotated[int, Field(ge=1, le=1000)] = 1
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20


def refuse_in_production(resources: ResourcesDep) -> None:
    """There is no such address in production."""
    if resources.settings.environment == "production":
        raise service.MailNotFound


@router.get(
    "",
    response_model=Page[MailSummary],
    responses=problems(403, 404),
    dependencies=[Depends(refuse_in_production)],
)
async def list_mail(
    query: Annotated[MailQuery, Query()],
    principal: MailReader,
    request: Request,
    response: Response,
    session: DbSession,
) -> Any:
    """Captured mail, newest first."""
    page = await service.list_captured(session, to_address=query.to, page=query.page, limit=query.limit)
    return numbered(
        page,
        lambda mail: MailSummary.of(mail, links=self_link(f"{PATH}/{mail.id}")),
        request=request,
        response=response,
    )


@router.get(
    "/{mail_id}",
    response_model=MailMessage,
    responses=problems(403, 404),
    dependencies=[Depends(refuse_in_production)],
)
async def get_mail(mail_id: UUID, principal: MailReader, session: DbSession) -> Any:
    """One captured message."""
    message = await service.get_message(session, mail_id, captured_only=True)
    return MailMessage.of(message, links=self_link(f"{PATH}/{mail_id}"))
