"""Pages by number and by cursor, as responses."""

from typing import Any

import pytest
from fastapi import Request, Response

from db.pagination import Cursor, CursorPage, InvalidCursor, Page
from serve_app.links import self_link
from serve_app.pagination import PageQuery, by_cursor, numbered, read_cursor, sign
from serve_app.schemas import ResourceSchema
from serve_app.security.links import LinkSigner

SIGNER = LinkSigner(b"sixteen bytes at least")
CURSOR = Cursor("name", ("lamp", "7"))


class Item(ResourceSchema):
    name: str


def request(query: str = "", path: str = "/api/v1/things") -> Request:
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "server": ("x", 80),
            "path": path,
            "headers": [],
            "query_string": query.encode(),
        }
    )


def present(name: str) -> Item:
    return Item(name=name, links=self_link(f"/things/{name}"))


@pytest.mark.parametrize(
    ("page", "neighbours"),
    [(1, {"first", "last", "next"}), (2, {"first", "last", "next", "prev"}), (3, {"first", "last", "prev"})],
)
def test_numbered(page: int, neighbours: set[str]):
    response = Response()
    body = numbered(Page(["a"], 5, page, 2), present, request=request(f"page={page}&q=x"), response=response)
    assert (body["total"], body["page"], body["pages"], body["next"]) == (5, page, 3, None)
    assert set(body["links"]) == neighbours | {"self"}
    assert "q=x" in body["links"]["last"].href
    assert response.headers["x-total-count"] == "5"
    assert all(f'rel="{name}"' in response.headers["link"] for name in neighbours)


def test_no_link_leads_to_a_page_that_is_refused():
    response = Response()
    body = numbered(Page(["a"], 100, 3, 2), present, request=request("page=3"), response=response, max_page=3)
    assert (body["total"], body["pages"]) == (100, 3)
    assert set(body["links"]) == {"self", "first", "last", "prev"}
    assert "page=3" in body["links"]["last"].href
    deep = numbered(Page(["a"], 100_000, 1_000, 20), present, request=request("page=1000"), response=response)
    assert "next" not in deep["links"]


def test_by_cursor():
    response = Response()
    asked = request("q=x&limit=1")
    page: CursorPage[Any] = CursorPage(["a"], CURSOR, None)
    body = by_cursor(page, present, request=asked, response=response, signer=SIGNER, limit=1)
    assert (body["total"], body["prev"]) == (None, None)
    assert read_cursor(request("q=x&limit=9&cursor=y"), SIGNER, body["next"]) == CURSOR
    assert response.headers["link"].endswith('rel="next"')


@pytest.mark.parametrize("elsewhere", [request("q=y"), request(), request("q=x", "/api/v1/others")])
def test_a_cursor_belongs_to_its_list(elsewhere: Request):
    token = sign(request("q=x"), SIGNER, CURSOR)
    with pytest.raises(InvalidCursor):
        read_cursor(elsewhere, SIGNER, token)


def test_no_cursor():
    assert read_cursor(request(), SIGNER, "") is None
    assert read_cursor(request(), SIGNER, None) is None
    assert sign(request(), SIGNER, None) is None
    assert PageQuery(cursor="").by_cursor
    assert not PageQuery().by_cursor
