"""ETags and conditional requests (RFC 9110 §13, RFC 6585)."""

import hashlib
import re

from fastapi import Request, Response

from db.errors import PreconditionFailed
from serve_app.errors import PreconditionRequired

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_VERSION = re.compile(r"([0-9]{1,18})(?:-[a-z]+)?")
"""Of any row: Python itself refuses to read numbers of thousands of digits."""

NO_CACHE = "no-cache"
"""May be kept, must be asked about: a 304 costs little, a stale price much."""


def version_tag(version: int, *, variant: str = "") -> str:
    """The ETag of a versioned row; `variant` tells answers apart that differ by who asks."""
    return f'"{version}-{variant}"' if variant else f'"{version}"'


def content_tag(body: bytes) -> str:
    """The ETag of a body that has no version."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def expected_version(if_match: str | None, *, required: bool) -> int | None:
    """The version that a writer has read; None when any will do.

    Raises PreconditionRequired (428) when it must be named and is not, PreconditionFailed (412) for one not of ours.
    """
    if if_match is None:
        if required:
            raise PreconditionRequired
        return None
    if if_match.strip() == "*":
        return None
    tags = _TAG.findall(if_match)
    found = _VERSION.fullmatch(tags[0]) if len(tags) == 1 else None
    if found is None:
        raise PreconditionFailed
    return int(found[1])


def not_modified(request: Request, etag: str) -> Response | None:
    """304 when the caller's copy is the present one. Compressing does not change a copy, so `W/` is overlooked."""
    given = request.headers.get("if-none-match")
    if given is None:
        return None
    if given.strip() == "*" or etag.strip('"') in _TAG.findall(given):
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": NO_CACHE})
    return None
