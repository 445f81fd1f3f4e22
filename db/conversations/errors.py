"""Refusals about conversations."""

from db.errors import NotFound, PermissionDenied


class ConversationNotFound(NotFound):
    """No such conversation, or a private one of others."""

    code = "conversation_not_found"
    default_message = "There is no such conversation."


class MessageNotFound(NotFound):
    """No message of this conversation has this id."""

    code = "message_not_found"
    default_message = "There is no such message."


class NotAParticipant(PermissionDenied):
    """A public conversation is read by everybody, and spoken in by those who joined."""

    code = "not_a_participant"
    default_message = "Join the conversation first."
