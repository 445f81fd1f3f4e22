"""Permission callbacks that our own namespaces name. Applications add theirs beside them (`handlers`)."""

import random
import time
from typing import Final
from uuid import UUID

from db.auth import repository as auth
from db.conversations import repository as conversations
from db.session import Database
from serve_app.realtime.handlers import Handlers, Question
from serve_app.realtime.verdicts import Granted

CONVERSATION_PREFIX: Final = "conversation:"
DASHBOARD_PERMISSION: Final = "dashboard:read"
REALTIME_PERMISSION: Final = "realtime:admin"

AGAIN_S: Final = 30.0
"""For so long at most who has lost a role goes on receiving what it opened. A tab may stay open for a month."""

MEMBER_AGAIN_S: Final = 600.0
"""Who leaves a conversation loses its channel at once; should that have been lost on its way, after so long."""

UNCONFIRMED_S: Final = 600.0
"""A subscription ends when nobody could be asked for so long: the database is away for this process."""


def register(handlers: Handlers) -> None:
    """Offer `conversation_member`, `dashboard_reader` and `realtime_admin`."""
    database = handlers.database
    if database is None:
        raise ValueError("our permission callbacks read rows: the registry needs a database")
    checks = Checks(database)
    handlers.permission("conversation_member", checks.conversation_member)
    handlers.permission("dashboard_reader", checks.dashboard_reader)
    handlers.permission("realtime_admin", checks.realtime_admin)


class Checks:
    """Questions to the database about one user and one channel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def conversation_member(self, question: Question) -> Granted | bool:
        """Whether the user takes part in the conversation that `conversation:<id>` names."""
        conversation_id, user_id = _uuid(question.channel.removeprefix(CONVERSATION_PREFIX)), _uuid(question.user)
        if conversation_id is None or user_id is None:
            return False
        async with self._database.transaction(read_only=True) as session:
            if not await conversations.is_participant(session, conversation_id, user_id):
                return False
        return Granted(again_at=_again_at(MEMBER_AGAIN_S))

    async def dashboard_reader(self, question: Question) -> Granted | bool:
        """Whether the user may see the business figures."""
        return await self._may(question.user, DASHBOARD_PERMISSION)

    async def realtime_admin(self, question: Question) -> Granted | bool:
        """Whether the user may administer realtime, and so read traces."""
        return await self._may(question.user, REALTIME_PERMISSION)

    async def _may(self, user: str, permission: str) -> Granted | bool:
        user_id = _uuid(user)
        if user_id is None:
            return False
        async with self._database.transaction(read_only=True) as session:
            if permission not in await auth.permissions_of(session, user_id):
                return False
        return Granted(again_at=_again_at(AGAIN_S), expires_at=time.time() + UNCONFIRMED_S)


def _again_at(most_s: float) -> float:
    """Not all at once for ever, after a restart that made everybody subscribe in the same second."""
    return time.time() + most_s * (0.5 + 0.5 * random.random())  # noqa: S311 - spreads load, guards nothing


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
