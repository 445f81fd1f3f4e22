"""Refusals about notifications."""

from db.errors import NotFound


class NotificationNotFound(NotFound):
    """No notification of this user has this id."""

    code = "notification_not_found"
    default_message = "There is no such notification."
