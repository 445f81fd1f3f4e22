"""Links."""

from fastapi import Request

from serve_app.links import action, request_link, self_link


def test_links():
    assert self_link("/orders/1")["self"].model_dump() == {"href": "/api/v1/orders/1"}
    assert action("/orders/1/cancel", "POST").model_dump() == {"href": "/api/v1/orders/1/cancel", "method": "POST"}


def test_of_a_request():
    scope = {"type": "http", "scheme": "http", "server": ("x", 80), "path": "/api/v1/a", "headers": []}
    for query, href in ((b"", "/api/v1/a"), (b"q=1", "/api/v1/a?q=1")):
        assert request_link(Request(scope | {"query_string": query}))["self"].href == href
