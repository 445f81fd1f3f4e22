"""Streams and their commands in the real cluster: HAProxy in front, several replicas behind."""

import json
import secrets
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import httpx
import pytest

from tests.fixtures.http_stream import HttpClient, http_connection
from tests.fixtures.raw_clients import own_token, replicas, server_api
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

SILENCE_S = 40.0
"""The first ping comes after 12.5 to 25 s: longer than HAProxy lets a request take to arrive."""

LEAVERS = 8


def opened(stack: RunningStack, kind: str = "json", user: str = "streamer") -> AbstractAsyncContextManager[HttpClient]:
    frame = json.dumps({"id": 1, "connect": {"token": own_token(stack, user)}}).encode()
    return http_connection(f"{stack.http_url}/connection", frame, kind, get=kind == "sse")


@pytest.mark.parametrize("kind", ["json", "sse"])
async def test_any_process_takes_the_commands_of_any_session(stack: RunningStack, kind: str) -> None:
    everywhere = await replicas(stack)
    assert len(everywhere) == stack.settings.realtime_replicas >= 2
    bases = [*everywhere, f"{stack.http_url}/connection", stack.http_url]
    async with opened(stack, kind) as client:
        await client.connected()
        for number, base in enumerate(bases, start=2):
            answer = await client.post({"id": number, "ping": {}}, base=base)
            assert (answer.status_code, base) == (204, base)
            (reply,) = await client.messages(1)
            assert reply["id"] == number
        for base in bases:
            forged = await client.post({"id": 99, "ping": {}}, base=base, session=client.session[::-1])
            assert (forged.status_code, base) == (404, base)


async def test_commands_through_another_process_keep_their_order(stack: RunningStack) -> None:
    channel = f"room:order-{secrets.token_hex(4)}"
    async with opened(stack) as client:
        await client.connected()
        await client.subscribed(channel)
        for number, base in enumerate(await replicas(stack) * 10, start=3):
            answer = await client.post({"id": number, "publish": {"channel": channel, "data": number}}, base=base)
            assert answer.status_code == 204
        heard: list[int] = []
        while len(heard) < 10 * stack.settings.realtime_replicas:
            (message,) = await client.messages(1)
            if "pub" in message.get("push", {}):
                heard.append(message["push"]["pub"]["data"])
        assert heard == sorted(heard)


@pytest.mark.parametrize("kind", ["json", "sse"])
async def test_clients_that_leave_are_gone_at_once(stack: RunningStack, kind: str) -> None:
    # Without a push of its own joining: nothing is left unread, so the client's end closes politely.
    channel = f"leaver-{secrets.token_hex(4)}"

    async def present() -> object:
        return (await server_api(stack, "presence_stats", channel=channel))["result"]["num_clients"]

    async with AsyncExitStack() as open_streams:
        # Several: where HAProxy splices requests it overlooks most ends, and sees some.
        clients = [await open_streams.enter_async_context(opened(stack, kind)) for _ in range(LEAVERS)]
        for client in clients:
            await client.connected()
            answer = await client.post({"id": 2, "subscribe": {"channel": channel}})
            assert answer.status_code == 204
            await client.messages(1)
        assert await present() == LEAVERS

    async def nobody() -> bool:
        return await present() == 0

    # Far below the 25 s and more after which a missing pong tells it.
    await eventually(nobody, 8.0)


async def test_a_silent_stream_outlives_every_timeout_on_its_way(stack: RunningStack) -> None:
    channel = f"room:silence-{secrets.token_hex(4)}"
    async with opened(stack) as client:
        await client.connected()
        await client.post({"id": 2, "subscribe": {"channel": channel}})
        await client.messages(1)
        pinged = await client.messages(1, SILENCE_S)
        while pinged != [{}]:
            pinged = await client.messages(1, SILENCE_S)
        assert (await client.post({})).status_code == 204
        await server_api(stack, "publish", channel=channel, data="still here")
        (push,) = await client.messages(1)
        assert push["push"]["pub"]["data"] == "still here"


async def test_too_long_a_body_is_said_to_be_so(stack: RunningStack) -> None:
    async with httpx.AsyncClient() as http:
        for path in ("connection/http_stream", "connection/emulation", "emulation"):
            answer = await http.post(f"{stack.http_url}/{path}", content=b"x" * 70_000)
            assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large"), path
