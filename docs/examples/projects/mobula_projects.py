"""Channels of projects: `/projects/:project/…`, for their members.

Who they are is read once per connection, from the application's own table (`schema.sql`), and kept with the connection
as `{"projects": {"7": "editor", "9": "viewer"}}`: no callback needs a query. A token that says so itself, in its claim
`meta`, is believed without asking.
"""

import json
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import text

from db.session import Database
from serve_app.realtime.handlers import Admission, Caller, CallError, ConnectAttempt, Granted, Handlers, Question

TOO_LONG: Final = 430
"""Our own error code: applications have 400 to 1999."""

MAX_TITLE: Final = 80


def register(handlers: Handlers) -> None:
    """Named in the entry point: called once in every process."""
    if handlers.database is not None:
        handlers.connect(Doorkeeper(handlers.database).let_in)
    handlers.permission("project_member", project_member)
    handlers.permission("project_editor", project_editor)
    handlers.rpc("projects.mine", mine)


class Doorkeeper:
    """Lets in whoever has a token, and remembers their projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def let_in(self, attempt: ConnectAttempt) -> Admission | None:
        """Nobody without a token. It has 3 s; an exception is the temporary error 100, and the SDK tries again."""
        known = attempt.credentials
        if known is None or known.meta:
            return Admission(known) if known else None
        async with self._database.transaction(read_only=True) as session:
            rows = await session.execute(
                text("SELECT project, role FROM projects.members WHERE user_id = :user"), {"user": known.user}
            )
            found = {row.project: row.role for row in rows}
        return Admission(replace(known, meta=json.dumps({"projects": found}).encode()))


def roles(caller: Caller) -> dict[str, str]:
    """Project → the caller's role in it."""
    meta: dict[str, Any] = json.loads(caller.meta or b"{}")
    return dict(meta.get("projects", {}))


async def project_member(question: Question) -> bool | Granted:
    """Members may subscribe, and others see with which role they are there."""
    role = roles(question.caller).get(question.variables["project"])
    if role is None:
        return False
    return Granted(info=json.dumps({"role": role}).encode())


async def project_editor(question: Question) -> bool:
    """Editors may publish, and titles have a length."""
    if roles(question.caller).get(question.variables["project"]) != "editor":
        return False
    card = json.loads(question.data)
    if len(str(card.get("title", ""))) > MAX_TITLE:
        raise CallError(TOO_LONG, f"a title has at most {MAX_TITLE} characters")
    return True


async def mine(caller: Caller, _data: bytes) -> bytes:
    """The caller's projects."""
    return json.dumps(roles(caller)).encode()
