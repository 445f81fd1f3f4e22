"""Pages of lists: by number, or by signed cursor."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from db.pagination import Cursor, CursorPage, InvalidCursor
from db.pagination import Page as NumberedPage
from serve_app.links import request_link
from serve_app.schemas import Link
from serve_app.security.links import LinkInvalid, LinkSigner

RowT = TypeVar("RowT")
ItemT = TypeVar("ItemT", bound=BaseModel)

MAX_LIMIT = 100
MAX_PAGE = 1_000
"""OFFSET reads and throws away everything before it; beyond this, use a cursor."""

PAGING = frozenset({"cursor", "limit", "page"})
"""Query parameters that choose a page; all others choose the list, and a cursor is bound to them."""


class CursorQuery(BaseModel):
    """Query parameters of a list that has cursors only."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items per page.")] = 50
    cursor: Annotated[str | None, Field(max_length=1024, description="`next` or `prev` of another page.")] = None


class PageQuery(BaseModel):
    """Query parameters of most lists. Slices add their filters in a subclass."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=MAX_PAGE, description="Page number; ignored with `cursor`.")] = 1
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Items per page.")] = 20
    cursor: Annotated[
        str | None,
        Field(max_length=1024, description="`next` or `prev` of another page. Empty: the first page, by cursor."),
    ] = None

    @property
    def by_cursor(self) -> bool:
        """Whether the caller pages by cursor."""
        return self.cursor is not None


def cursor_scope(request: Request) -> str:
    """What a cursor belongs to: the list and its filters. One list's cursor means nothing in another."""
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in PAGING)
    return request.url.path + repr(filters)


def read_cursor(request: Request, signer: LinkSigner, text: str | None) -> Cursor | None:
    """The cursor of a request; None for the first page. Raises InvalidCursor."""
    if not text:
        return None
    try:
        return Cursor.from_payload(signer.read_cursor(cursor_scope(request), text))
    except LinkInvalid as error:
        raise InvalidCursor(field="query.cursor") from error


def sign(request: Request, signer: LinkSigner, cursor: Cursor | None) -> str | None:
    """A cursor as it is handed out."""
    return None if cursor is None else signer.sign_cursor(cursor_scope(request), cursor.payload())


def numbered(
    page: NumberedPage[RowT],
    present: Callable[[RowT], ItemT],
    *,
    request: Request,
    response: Response,
    max_page: int = MAX_PAGE,
) -> dict[str, Any]:
    """The response body of a page by number, with Link (RFC 8288) and X-Total-Count headers.

    `max_page` is the last that the list answers: there may be more rows (`total`), but no pages to lead to.
    """
    pages = min(page.pages, max_page)
    neighbours = {
        name: f"{request.url.path}?{request.url.include_query_params(page=number, limit=page.limit).query}"
        for name, number in _neighbours(page.page, pages).items()
    }
    response.headers["X-Total-Count"] = str(page.total)
    return _body(
        [present(row) for row in page.items],
        request,
        response,
        neighbours,
        {"total": page.total, "page": page.page, "limit": page.limit, "pages": pages, "next": None, "prev": None},
    )


def by_cursor(
    page: CursorPage[RowT],
    present: Callable[[RowT], ItemT],
    *,
    request: Request,
    response: Response,
    signer: LinkSigner,
    limit: int,
) -> dict[str, Any]:
    """The response body of a page by cursor, with Link headers."""
    tokens = {"next": sign(request, signer, page.next), "prev": sign(request, signer, page.prev)}
    neighbours = {
        name: f"{request.url.path}?{request.url.include_query_params(cursor=token).query}"
        for name, token in tokens.items()
        if token is not None
    }
    return _body(
        [present(row) for row in page.items],
        request,
        response,
        neighbours,
        {"total": None, "page": None, "limit": limit, "pages": None, **tokens},
    )


def _neighbours(page: int, pages: int) -> dict[str, int]:
    found = {"first": 1, "last": max(1, pages)}
    if page > 1:
        found["prev"] = page - 1
    if page < pages:
        found["next"] = page + 1
    return found


def _body(
    items: Sequence[BaseModel], request: Request, response: Response, neighbours: dict[str, str], fields: dict[str, Any]
) -> dict[str, Any]:
    links = request_link(request) | {name: Link(href=href) for name, href in neighbours.items()}
    if neighbours:
        response.headers["Link"] = ", ".join(f'<{href}>; rel="{name}"' for name, href in neighbours.items())
    return {"items": items, "links": links, **fields}
