"""Conversations as responses."""

from typing import Any

from db.conversations import service
from db.conversations.models import Message as MessageRow
from db.conversations.models import Participant as ParticipantRow
from db.conversations.service import ConversationView
from serve_app.conversations.schemas import Conversation, ConversationSummary, Message, Participant
from serve_app.links import action, self_link
from serve_app.schemas import Link, Links


def present_message(row: MessageRow) -> Message:
    """One message, in the shape in which it was published."""
    return Message.model_validate(service.message_payload(row))


def present_summary(view: ConversationView) -> ConversationSummary:
    """A conversation in a list."""
    return ConversationSummary.of(
        view.conversation, links=self_link(f"/conversations/{view.conversation.id}"), **_seen(view)
    )


def present_conversation(view: ConversationView) -> Conversation:
    """A conversation with who takes part, and what the caller may do."""
    return Conversation.of(
        view.conversation,
        participants=[_participant(row) for row in view.conversation.participants],
        links=_actions(view),
        **_seen(view),
    )


def _seen(view: ConversationView) -> dict[str, Any]:
    return {
        "others": list(view.others),
        "is_member": view.is_member,
        "unread_count": view.unread_count,
        "last_message": present_message(view.last_message) if view.last_message is not None else None,
        "channel": service.channel(view.conversation.id),
    }


def _participant(row: ParticipantRow) -> Participant:
    return Participant(
        id=row.user_id,
        username=row.user.username,
        joined_at=row.joined_at,
        last_read_number=row.last_read_number,
    )


def _actions(view: ConversationView) -> Links:
    path = f"/conversations/{view.conversation.id}"
    links = self_link(path) | {"messages": Link(href=f"/api/v1{path}/messages")}
    if view.is_member:
        links |= {"post": action(f"{path}/messages", "POST"), "read": action(f"{path}/read", "POST")}
    elif view.conversation.is_public:
        links["join"] = action(f"{path}/join", "POST")
    return links
