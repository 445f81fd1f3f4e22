"""Refusals about accounts."""

from db.errors import Conflict, NotFound


class UserNotFound(NotFound):
    """No live account has this id or name."""

    code = "user_not_found"
    default_message = "There is no such user."


class LastAdmin(Conflict):
    """Somebody must be able to administer."""

    code = "last_admin"
    default_message = "This is the last active administrator."
