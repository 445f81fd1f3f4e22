"""Channels of projects: `/projects/:project/…`, for the members that the connection's token names in `meta`.

The token's claim is `{"meta": {"projects": {"7": "editor", "9": "viewer"}}}`.
"""

import json
from typing import Any, Final

from serve_app.realtime.handlers import Caller, CallError, Granted, Handlers, Question

TOO_LONG: Final = 430
"""Our own error code: applications have 400 to 1999."""

MAX_TITLE: Final = 80


def register(handlers: Handlers) -> None:
    """Named in the entry point: called once in every process."""
    handlers.permission("project_member", project_member)
    handlers.permission("project_editor", project_editor)
    handlers.rpc("projects.mine", mine)


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
