import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from serve_app.edge import body as edge_body
from serve_app.edge.body import ClientGone, Refused, read_body


def arriving(*parts: Any) -> Callable[[], Awaitable[Any]]:
    """Parts of a body; None: the client leaves."""
    waiting = list(parts)

    async def receive() -> Any:
        part = waiting.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    return receive


async def test_a_body_is_read_to_its_end() -> None:
    assert await read_body([], arriving(b"ab", b"", b"c"), 3) == b"abc"
    assert await read_body([(b"content-length", b"0")], arriving(b""), 3) == b""


@pytest.mark.parametrize(
    ("headers", "parts"),
    [([(b"content-length", b"4")], ()), ([], (b"abcd",)), ([(b"content-length", b"1")], (b"ab", b"cd"))],
)
async def test_a_body_over_the_limit_is_refused_before_it_is_there(headers: Any, parts: Any) -> None:
    with pytest.raises(Refused) as refused:
        await read_body(headers, arriving(*parts), 3)
    assert (refused.value.status, refused.value.code) == (413, "content_too_large")


async def test_a_client_that_leaves_is_not_answered() -> None:
    with pytest.raises(ClientGone):
        await read_body([], arriving(b"a", None), 3)


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_body, "READ_S", 0.01)

    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Refused) as refused:
        await read_body([], never, 3)
    assert (refused.value.status, refused.value.code) == (408, "request_timeout")
