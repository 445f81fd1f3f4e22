"""The pages that a problem's `type` leads to."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from db.errors import NotFound
from serve_app.errors import title_of
from serve_app.openapi_parts import PUBLIC, problems
from serve_app.problems.catalogue import catalogue

router = APIRouter(tags=["operations"])

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{meaning}</p><dl><dt>code</dt><dd>{code}</dd><dt>HTTP status</dt><dd>{status}</dd></dl></body>
</html>
"""


class ProblemUnknown(NotFound):
    """No error has this code."""

    code = "problem_unknown"
    default_message = "No error has this code."


@router.get(
    "/problems/{code}",
    openapi_extra=PUBLIC,
    response_class=HTMLResponse,
    responses=problems(404),
)
async def problem(code: Annotated[str, Path(max_length=64)]) -> HTMLResponse:
    """What an error code means."""
    known = catalogue().get(code)
    if known is None:
        raise ProblemUnknown
    status, meaning = known
    return HTMLResponse(PAGE.format(title=escape(title_of(code)), meaning=escape(meaning), code=code, status=status))
