"""Whatever a request is, its answer is one of those that are documented, and the hub keeps nothing of it."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.protocol.codec import MAX_FRAME_BYTES
from serve_app.edge.arrival import Arrival
from serve_app.realtime.hub import Hub
from serve_app.realtime.streams import METHODS, HttpConnections
from tests.fixtures.hub import World

STATUSES = {200, 204, 400, 403, 404, 405, 408, 413, 503}

texts = st.sampled_from(["application/json", "application/octet-stream", "application/octet-stream; x", "", "\xff"])
origins = st.sampled_from([b"", b"http://shop.test", b"http://evil.test", b"null", b"\xff", b"http://[", b"//"])
frames = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b'{"id":1,"connect":{"token":"good:u1"}}',
            b'{"id":1,"connect":{}}\n{"id":2,"ping":{}}',
            b'{"node":"hub-1","session":"x","data":"{}"}',
            b"\x00",
            b"x" * (MAX_FRAME_BYTES + 1),
        ]
    ),
)
queries = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"cf_connect=%7B%22id%22%3A1%7D", b"cf_connect=", b"cf_connect=%ff", b"cf_connect=%00", b"%"]),
)


async def answered(method: str, path: str, headers: list[tuple[bytes, bytes]], query: bytes, body: bytes) -> int:
    """The status of one request to a hub of its own. The client leaves after its body."""
    world = World()
    statuses: list[int] = []

    async def turn(_arrival: Arrival, _scope: Any) -> Hub:
        return world.hub

    arriving = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return arriving.pop() if arriving else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": query}
    connections = HttpConnections({"http://shop.test"}, turn)
    await asyncio.wait_for(connections.serve(path, world.hub, world.sessions, scope, receive, send), 5)
    assert world.hub.connections == 0
    await world.hub.stop()
    (status,) = statuses
    return status


@settings(max_examples=300)
@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "PUT", "HEAD", "TRACE"]),
    path=st.sampled_from(sorted(METHODS)),
    media_type=texts,
    origin=origins,
    length=st.sampled_from([b"", b"1", b"-1", b"70000", b"9" * 30, b"\xb2"]),
    query=queries,
    body=frames,
)
def test_any_request_has_an_answer(
    method: str, path: str, media_type: str, origin: bytes, length: bytes, query: bytes, body: bytes
) -> None:
    given_headers = ((b"content-type", media_type.encode("latin-1")), (b"origin", origin), (b"content-length", length))
    headers = [(b"host", b"api.test"), *((name, value) for name, value in given_headers if value)]
    status = asyncio.run(answered(method, path, headers, query, body))
    assert status in STATUSES
    if origin in (b"http://evil.test", b"null", b"\xff", b"http://[", b"//") and method != "OPTIONS":
        assert status in (403, 405)
