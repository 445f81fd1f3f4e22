"""`_links`: where a resource is, and what this caller may do with it."""

from fastapi import Request

from serve_app.schemas import Link, Links

ROOT = "/api/v1"


def self_link(path: str) -> Links:
    """The link that every item of a list carries."""
    return {"self": Link(href=f"{ROOT}{path}")}


def action(path: str, method: str) -> Link:
    """Something to do."""
    return Link(href=f"{ROOT}{path}", method=method)


def request_link(request: Request) -> Links:
    """The address of this very request, query included."""
    query = request.url.query
    return {"self": Link(href=request.url.path + (f"?{query}" if query else ""))}
