"""Notes of layers, written into the response."""

from typing import Any

import pytest

from serve_app.middleware.response import ResponseNotesMiddleware, response_notes
from tests.fakes.asgi import Answer, Exchange


@pytest.mark.parametrize(("own", "kept"), [([], "ours"), ([(b"b", b"own")], "own")])
async def test_headers_are_added_and_defaults_only_where_missing(own: list[tuple[bytes, bytes]], kept: str):
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        response_notes(scope).headers.append((b"a", b"added"))
        response_notes(scope).defaults.append((b"b", b"ours"))
        assert response_notes(scope).status == 0
        await Answer(201, headers=own)(scope, receive, send)
        assert response_notes(scope).status == 201

    exchange = await Exchange().through(layer)
    assert exchange.headers == {"a": "added", "b": kept}


async def test_other_protocols_pass():
    app = Answer()
    exchange = Exchange()
    exchange.scope["type"] = "websocket"
    await ResponseNotesMiddleware(app)(exchange.scope, exchange.receive, exchange.send)
    assert "mobula.response" not in app.scope
