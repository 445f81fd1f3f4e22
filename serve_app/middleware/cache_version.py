"""Lets a writer read what it wrote: `Cache-Version` in the answer to a write, echoed by the client's next reads.

A write invalidates the cache before its answer leaves, but another replica may hear of it a few milliseconds later.
The version names the invalidation; a replica that has not heard of it yet does not answer from its own memory
(DESIGN §5, 13).
"""

import re
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.middleware.context import request_headers
from serve_app.middleware.response import ResponseNotes, response_notes

HEADER: Final = b"cache-version"

ACCEPTABLE: Final = re.compile(r"\d{1,4}:[0-9a-f]{8}:\d{1,19}(,\d{1,4}:[0-9a-f]{8}:\d{1,19}){0,63}")
"""One `shard:incarnation:number` per cache shard. Anything else is ignored: it names no invalidation of ours."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_writing: ContextVar[ResponseNotes | None] = ContextVar("mobula_writing", default=None)


class CacheVersionMiddleware:
    """Remembers, for the time of a write, which response the version belongs to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            _writing.set(response_notes(scope))  # the server runs each request in a context of its own
        await self._app(scope, receive, send)


def note_version(version: str) -> None:
    """A cache shard acknowledged an invalidation of the write that runs now. Does nothing outside a request."""
    notes = _writing.get()
    if notes is None or not version:
        return
    before = next((value for name, value in notes.headers if name == HEADER), None)
    if before is not None:
        notes.headers.remove((HEADER, before))
    merged = dict(part.split(":", 1) for part in f"{before.decode()},{version}".split(",")) if before else None
    value = ",".join(f"{shard}:{rest}" for shard, rest in merged.items()) if merged else version
    notes.headers.append((HEADER, value.encode()))


def version_wanted(scope: Scope) -> str:
    """What the caller has seen acknowledged, or ''."""
    given = request_headers(scope).get(HEADER)
    if given is None:
        return ""
    text = given.decode("latin-1").replace(" ", "")
    return text if ACCEPTABLE.fullmatch(text) else ""
