"""Conversations and their messages."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status

from db.conversations import service
from serve_app.conversations.presenting import present_conversation, present_message, present_summary
from serve_app.conversations.schemas import (
    Conversation,
    ConversationCreate,
    ConversationSummary,
    MemberReadPositions,
    Message,
    MessageCreate,
    MessagePage,
    MessageRead,
    OwnReadPosition,
    ReadMark,
)
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.idempotency import IdempotencyKey, answer_once, created
from serve_app.links import ROOT, request_link
from serve_app.openapi_parts import LOCATION_HEADER, problems
from serve_app.pagination import CursorQuery, PageQuery, by_cursor, numbered, read_cursor, sign
from serve_app.schemas import Page
from serve_app.security.principal import Principal

router = APIRouter(prefix="/conversations", tags=["conversations"])

NEEDED = "conversations:use"
Speaker = Annotated[Principal, Depends(require(NEEDED))]
Moderator = Annotated[Principal, Depends(require("conversations:moderate"))]


@router.get("", response_model=Page[ConversationSummary], responses=problems(403))
async def list_conversations(
    query: Annotated[PageQuery, Query()],
    principal: Speaker,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """One's own conversations and public ones, the latest active first."""
    if query.by_cursor:
        cursor = read_cursor(request, resources.links, query.cursor)
        found = await service.list_conversations_by_cursor(session, principal.user_id, cursor=cursor, limit=query.limit)
        return by_cursor(
            found,
            present_summary,
            request=request,
            response=response,
            signer=resources.links,
            limit=query.limit,
        )
    page = await service.list_conversations(session, principal.user_id, page=query.page, limit=query.limit)
    return numbered(page, present_summary, request=request, response=response)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Conversation,
    responses=problems(403, 404, 409) | {201: {"headers": LOCATION_HEADER}},
)
async def create_conversation(
    body: ConversationCreate,
    principal: Speaker,
    request: Request,
    session: DbSession,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Start a conversation."""

    async def create() -> Response:
        view = await service.create_conversation(
            session,
            created_by=principal.user_id,
            title=body.title,
            is_public=body.is_public,
            participant_ids=body.participant_ids,
            participant_usernames=body.participant_usernames,
        )
        return created(present_conversation(view), f"{ROOT}/conversations/{view.conversation.id}")

    return await answer_once(request, session, principal, idempotency_key, create)


@router.get("/{conversation_id}", response_model=Conversation, responses=problems(403, 404))
async def get_conversation(conversation_id: UUID, principal: Speaker, session: DbSession) -> Any:
    """One conversation, with who takes part."""
    return present_conversation(await service.get_conversation(session, conversation_id, user_id=principal.user_id))


@router.delete("/{conversation_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404))
async def remove_conversation(conversation_id: UUID, principal: Moderator, session: DbSession) -> None:
    """Take a conversation away from everybody, whoever takes part. Audited."""
    await service.remove_conversation(session, conversation_id, actor_id=principal.user_id)


@router.get("/{conversation_id}/messages", response_model=MessagePage, responses=problems(403, 404))
async def list_messages(
    conversation_id: UUID,
    query: Annotated[CursorQuery, Query()],
    principal: Speaker,
    request: Request,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """Messages, newest first. `next` leads to older ones."""
    found = await service.list_messages(
        session,
        conversation_id,
        user_id=principal.user_id,
        cursor=read_cursor(request, resources.links, query.cursor),
        limit=query.limit,
    )
    return {
        "items": [present_message(row) for row in found.items],
        "limit": query.limit,
        "next": sign(request, resources.links, found.next),
        "prev": sign(request, resources.links, found.prev),
        "links": request_link(request),
    }


@router.post(
    "/{conversation_id}/messages",
    status_code=status.HTTP_201_CREATED,
    response_model=Message,
    responses=problems(403, 404, 409),
)
async def post_message(
    conversation_id: UUID,
    body: MessageCreate,
    principal: Speaker,
    request: Request,
    session: DbSession,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Say something. It reaches everybody in the conversation over the socket, in commit order."""

    async def post() -> Response:
        row = await service.post_message(session, conversation_id, author_id=principal.user_id, body=body.body)
        return created(present_message(row))

    return await answer_once(request, session, principal, idempotency_key, post)


@router.delete(
    "/{conversation_id}/messages/{message_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404),
)
async def remove_message(conversation_id: UUID, message_id: UUID, principal: Speaker, session: DbSession) -> None:
    """Take a message away from everybody: one's own, or anybody's with `conversations:moderate` (audited)."""
    await service.remove_message(
        session,
        conversation_id,
        message_id,
        actor_id=principal.user_id,
        moderates=principal.may("conversations:moderate"),
    )


@router.post(
    "/{conversation_id}/read",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404),
)
async def mark_read(conversation_id: UUID, body: MessageRead, principal: Speaker, session: DbSession) -> None:
    """Remember how far one has read."""
    await service.mark_read(session, conversation_id, user_id=principal.user_id, message_id=body.message_id)


@router.put(
    "/{conversation_id}/read-position",
    response_model=OwnReadPosition,
    responses=problems(403, 404, 409),
)
async def mark_read_position(conversation_id: UUID, body: ReadMark, principal: Speaker, session: DbSession) -> Any:
    """Remember how far one has read the channel; it never moves back."""
    return await service.mark_position(
        session, conversation_id, user_id=principal.user_id, epoch=body.epoch, offset=body.offset
    )


@router.get("/{conversation_id}/read-position", response_model=OwnReadPosition, responses=problems(403, 404))
async def get_read_position(conversation_id: UUID, principal: Speaker, session: DbSession) -> Any:
    """How far one has read the channel, and how much is unread."""
    return await service.own_position(session, conversation_id, user_id=principal.user_id)


@router.get(
    "/{conversation_id}/read-positions",
    response_model=MemberReadPositions,
    responses=problems(403, 404),
)
async def list_read_positions(conversation_id: UUID, principal: Speaker, session: DbSession) -> Any:
    """How far those who take part have read the channel."""
    found = await service.member_positions(session, conversation_id, user_id=principal.user_id)
    items = [{"user_id": row.user, "epoch": row.epoch, "offset": row.offset, "read_at": row.read_at} for row in found]
    return {"items": items}


@router.post("/{conversation_id}/join", response_model=Conversation, responses=problems(403, 404))
async def join_conversation(conversation_id: UUID, principal: Speaker, session: DbSession) -> Any:
    """Join a public conversation."""
    return present_conversation(await service.join(session, conversation_id, user_id=principal.user_id))
