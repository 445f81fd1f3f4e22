"""Revocation on the running stack: an order to one process ends what lives in any other, sockets and streams."""

from contextlib import AsyncExitStack

import jwt

from serve_app.security.tokens import TokenIssuer
from tests.fixtures.people import Person
from tests.fixtures.raw_clients import RawClient, one_of_each, own_token, raw_client, replicas, server_api
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

AT_ONCE_S = 5.0
"""Long before the rows would be looked at again without an order (`actors.sessions.actor.RECHECK_S`)."""


async def all_end(clients: list[RawClient]) -> None:
    for client in clients:
        assert await client.ended(AT_ONCE_S) == 3503


async def refused_everywhere(stack: RunningStack, token: str) -> None:
    for base in await replicas(stack):
        async with raw_client(base, token=token) as late:
            assert (late.replies, late.code) == ({}, 3503)


async def test_a_revoked_token_is_of_no_use_in_any_process(stack: RunningStack) -> None:
    token = own_token(stack, "tokens-revoked")
    async with AsyncExitStack() as opened:
        clients = await opened.enter_async_context(one_of_each(stack, lambda: token))
        others = await opened.enter_async_context(one_of_each(stack, lambda: own_token(stack, "tokens-revoked")))
        uid = jwt.decode(token, options={"verify_signature": False})["jti"]
        assert await server_api(stack, "revoke_token", uid=uid) == {"result": {}}
        await all_end(clients)
        await refused_everywhere(stack, token)
        for client in others:
            assert (await client.ask("ping"))["error"]["code"] == 108, "other tokens of the user live"


async def test_all_tokens_of_a_user_are_revoked_wherever_they_are_used(stack: RunningStack) -> None:
    async with AsyncExitStack() as opened:
        clients = await opened.enter_async_context(one_of_each(stack, lambda: own_token(stack, "tokens-invalid")))
        bystanders = await opened.enter_async_context(one_of_each(stack, lambda: own_token(stack, "tokens-valid")))
        before = own_token(stack, "tokens-invalid")
        assert await server_api(stack, "invalidate_user_tokens", user="tokens-invalid") == {"result": {}}
        await all_end(clients)
        await refused_everywhere(stack, before)
        assert [client.code for client in bystanders if client.code is not None] == []


def for_channel(stack: RunningStack, user: str, channel: str) -> str:
    return TokenIssuer.from_settings(stack.settings).subscription(subject=user, channel=channel)


async def test_a_revoked_subscription_token_ends_its_subscription_in_any_process(stack: RunningStack) -> None:
    user, one, other = "sub-tokens-revoked", "$room:revoked-one", "$room:revoked-other"
    first, second = for_channel(stack, user, one), for_channel(stack, user, other)
    async with one_of_each(stack, lambda: own_token(stack, user)) as clients:
        for client in clients:
            for channel, token in ((one, first), (other, second)):
                assert "subscribe" in await client.ask("subscribe", channel=channel, token=token)
        uid = jwt.decode(first, options={"verify_signature": False})["jti"]
        assert await server_api(stack, "revoke_token", uid=uid) == {"result": {}}
        for client in clients:
            await eventually(lambda client=client: ended(client) == {one: 2000}, AT_ONCE_S)
            assert (await client.ask("subscribe", channel=one, token=first))["error"]["code"] == 103
        assert await server_api(stack, "invalidate_user_tokens", user=user, channel=other) == {"result": {}}
        for client in clients:
            await eventually(lambda client=client: ended(client) == {one: 2000, other: 2000}, AT_ONCE_S)
            assert (await client.ask("subscribe", channel=other, token=second))["error"]["code"] == 103
            assert (await client.ask("ping"))["error"]["code"] == 108, "the connection's own token is another"


def ended(client: RawClient) -> dict[str, int]:
    return {push["channel"]: push["unsubscribe"]["code"] for push in client.pushes if "unsubscribe" in push}


async def test_a_login_session_that_ends_takes_its_connections_along(stack: RunningStack) -> None:
    person = await Person.register(stack.http_url)
    try:
        async with one_of_each(stack, person.connection_token) as clients:
            kept = await person.connection_token()
            ended = jwt.decode(kept, options={"verify_signature": False})["sid"]
            await person.sign_in()
            async with one_of_each(stack, person.connection_token) as of_the_other_session:
                answer = await person.http.delete(f"/api/v1/auth/sessions/{ended}")
                assert answer.status_code == 204, answer.text
                await all_end(clients)
                await refused_everywhere(stack, kept)
                assert [client.code for client in of_the_other_session if client.code is not None] == []
                await person.sign_out()
                await all_end(of_the_other_session)
    finally:
        await person.close()


async def test_orders_reach_a_connection_without_a_user_wherever_it_is(stack: RunningStack) -> None:
    """A token may name nobody; its connection is addressed by its id."""
    async with one_of_each(stack, lambda: own_token(stack, "", session_id="")) as clients:
        for client in clients:
            assert await server_api(stack, "send", client=client.id, data="you") == {"result": {"num_clients": 1}}
            assert await server_api(stack, "disconnect", client=client.id) == {"result": {}}
        await all_end(clients)
        for client in clients:
            assert [push["message"]["data"] for push in client.pushes if "message" in push] == ["you"]


async def test_a_blocked_user_is_closed_and_refused_in_any_process_until_unblocked(stack: RunningStack) -> None:
    async with AsyncExitStack() as opened:
        clients = await opened.enter_async_context(one_of_each(stack, lambda: own_token(stack, "blocked-user")))
        bystanders = await opened.enter_async_context(one_of_each(stack, lambda: own_token(stack, "other-user")))
        assert await server_api(stack, "block_user", user="blocked-user") == {"result": {}}
        await all_end(clients)
        await refused_everywhere(stack, own_token(stack, "blocked-user"))
        assert [client.code for client in bystanders if client.code is not None] == []
        assert await server_api(stack, "unblock_user", user="blocked-user") == {"result": {}}
        for base in await replicas(stack):
            async with raw_client(base, token=own_token(stack, "blocked-user")) as again:
                assert again.code is None
