"""Notifications."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from db.notifications import service
from db.notifications.models import Notification as NotificationRow
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep
from serve_app.links import action
from serve_app.notifications.schemas import Notification, NotificationPage
from serve_app.openapi_parts import problems
from serve_app.pagination import PageQuery, by_cursor, numbered, read_cursor

router = APIRouter(prefix="/notifications", tags=["notifications"])


class NotificationQuery(PageQuery):
    """Filters of the list of notifications."""

    unread: bool = False


@router.get("", response_model=NotificationPage, responses=problems(403))
async def list_notifications(
    query: Annotated[NotificationQuery, Query()],
    principal: LoginPrincipal,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """One's own notifications, newest first."""
    if query.by_cursor:
        found = await service.list_notifications_by_cursor(
            session,
            principal.user_id,
            unread=query.unread,
            cursor=read_cursor(request, resources.links, query.cursor),
            limit=query.limit,
        )
        body = by_cursor(found, _present, request=request, response=response, signer=resources.links, limit=query.limit)
        return body | {"unread": None}
    page = await service.list_notifications(
        session, principal.user_id, unread=query.unread, page=query.page, limit=query.limit
    )
    unread = page.total if query.unread else await service.unread_count(session, principal.user_id)
    return numbered(page, _present, request=request, response=response) | {"unread": unread}


@router.post("/read", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403))
async def mark_all_notifications_read(principal: LoginPrincipal, session: DbSession) -> None:
    """Mark all of one's own as read."""
    await service.mark_all_read(session, principal.user_id)


@router.post("/{notification_id}/read", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404))
async def mark_notification_read(notification_id: UUID, principal: LoginPrincipal, session: DbSession) -> None:
    """Mark one as read; twice is fine."""
    await service.mark_read(session, principal.user_id, notification_id)


def _present(row: NotificationRow) -> Notification:
    path = f"/notifications/{row.id}"
    links = {"read": action(f"{path}/read", "POST")} if row.read_at is None else {}
    return Notification.of(row, links=links)
