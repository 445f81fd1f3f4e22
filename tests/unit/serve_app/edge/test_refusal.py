import json
from typing import Any

import pytest

from serve_app.edge.refusal import refuse


class Sent:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)


async def receive() -> Any:
    return {"type": "websocket.connect"}


EXTENDED = {"type": "websocket", "extensions": {"websocket.http.response": {}}}


@pytest.mark.parametrize(
    ("scope", "kind"), [({"type": "http"}, "http.response"), (EXTENDED, "websocket.http.response")]
)
async def test_a_refusal_is_a_problem_document_that_says_when_to_come_back(scope: dict[str, Any], kind: str) -> None:
    send = Sent()
    await refuse(scope, receive, send, status=503, code="unavailable", detail="Later.")
    start, body = send.messages
    assert (start["type"], start["status"]) == (f"{kind}.start", 503)
    headers = dict(start["headers"])
    assert headers[b"retry-after"] == b"2"
    assert headers[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["code"] == "unavailable"


async def test_a_server_without_the_extension_closes_with_1013() -> None:
    send = Sent()
    await refuse({"type": "websocket"}, receive, send, status=503, code="x", detail="Later.")
    assert send.messages == [{"type": "websocket.close", "code": 1013, "reason": "Later."}]


async def test_only_temporary_refusals_invite_back() -> None:
    send = Sent()
    await refuse({"type": "http"}, receive, send, status=404, code="not_found", detail="")
    assert b"retry-after" not in dict(send.messages[0]["headers"])


async def test_a_hint_of_its_own() -> None:
    send = Sent()
    await refuse({"type": "http"}, receive, send, status=429, code="x", detail="", retry_after_s=17)
    assert dict(send.messages[0]["headers"])[b"retry-after"] == b"17"
