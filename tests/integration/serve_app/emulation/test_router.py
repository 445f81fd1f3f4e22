import json

import httpx
import pytest
from centrifuge.protocol import client_pb2 as sdk

from actors.protocol.codec import MAX_FRAME_BYTES
from actors.sessions.contract import SessionsUnreachable
from tests.fixtures.client import Api, assert_problem

COMMAND = '{"id":2,"ping":{}}'


@pytest.fixture
def session(api: Api) -> str:
    api.sessions.nodes.add("node")
    return api.resources.session_ids.mint("node")


async def test_commands_go_to_the_process_that_owns_the_session(
    api: Api, client: httpx.AsyncClient, session: str
) -> None:
    answer = await client.post("/emulation", json={"node": "node", "session": session, "data": COMMAND})
    assert (answer.status_code, answer.content) == (204, b"")
    message = sdk.EmulationRequest(node="node", session=session, data=b"\x01\x00").SerializeToString()
    answer = await client.post("/emulation", content=message, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 204
    assert api.sessions.emulated == [("node", session, COMMAND.encode()), ("node", session, b"\x01\x00")]


async def test_a_session_that_was_made_up_costs_no_call(api: Api, client: httpx.AsyncClient, session: str) -> None:
    for node, made_up in (("node", "x"), ("node", session[::-1]), ("other", session)):
        answer = await client.post("/emulation", json={"node": node, "session": made_up, "data": COMMAND})
        assert_problem(answer, 404, "session_unknown")
    assert api.sessions.emulated == []


async def test_a_session_that_has_ended_is_unknown(api: Api, client: httpx.AsyncClient) -> None:
    ended = api.resources.session_ids.mint("gone")
    answer = await client.post("/emulation", json={"node": "gone", "session": ended, "data": COMMAND})
    assert_problem(answer, 404, "session_unknown")
    assert api.sessions.emulated != []


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense", b'{"node":1}'])
async def test_a_body_that_cannot_be_read_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    assert_problem(await client.post("/emulation", content=body), 400, "emulation_unreadable")


async def test_a_body_is_as_long_as_a_frame_at_most(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post("/emulation", content=b"x" * (MAX_FRAME_BYTES + 1)), 413, "content_too_large")


async def test_shards_that_do_not_answer_are_503(
    api: Api, client: httpx.AsyncClient, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(node: str, session: str, data: bytes) -> bool:
        raise SessionsUnreachable("the shard did not answer")

    monkeypatch.setattr(api.sessions, "emulate", unreachable)
    body = json.dumps({"node": "node", "session": session, "data": COMMAND})
    assert_problem(await client.post("/emulation", content=body), 503, "unavailable")
    api.resources.actors.sessions = None
    assert_problem(await client.post("/emulation", content=body), 503, "unavailable")


async def test_pages_of_allowed_origins_may_post(client: httpx.AsyncClient, session: str) -> None:
    body = {"node": "node", "session": session, "data": COMMAND}
    answer = await client.post("/emulation", json=body, headers={"Origin": "http://shop.test"})
    assert answer.headers["access-control-allow-origin"] == "http://shop.test"
    asked = {
        "Origin": "http://shop.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    assert (await client.options("/emulation", headers=asked)).status_code in (200, 204)
