"""Notes of layers, written into the response."""

from typing import Any

import pytest

from serve_app.edge.arrival import LINES
from serve_app.middleware.response import HeaderBlock, ResponseNotesMiddleware, response_notes
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


BLOCKS = (HeaderBlock((b"a", b"1"), (b"b", b"2")), HeaderBlock((b"c", b"3")))


async def with_blocks(scope: Any, receive: Any, send: Any) -> None:
    response_notes(scope).blocks.extend(BLOCKS)
    await Answer(headers=[(b"d", b"4")])(scope, receive, send)


async def test_blocks_are_headers_to_any_server():
    exchange = await Exchange().through(with_blocks)
    assert exchange.headers == {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert LINES not in exchange.sent[0]


async def test_blocks_are_finished_lines_to_a_server_that_takes_them():
    exchange = Exchange()
    exchange.scope["extensions"] = {LINES: {}}
    await exchange.through(with_blocks)
    assert exchange.headers == {"d": "4"}
    assert exchange.sent[0][LINES] == b"a: 1\r\nb: 2\r\nc: 3\r\n"


async def test_other_protocols_pass():
    app = Answer()
    exchange = Exchange()
    exchange.scope["type"] = "websocket"
    await ResponseNotesMiddleware(app)(exchange.scope, exchange.receive, exchange.send)
    assert "mobula.response" not in app.scope
