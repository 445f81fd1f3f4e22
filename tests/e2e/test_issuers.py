"""The official SDKs with tokens of another issuer, on the real stack: a shared secret, and keys that it publishes."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable

import pytest

from tests.fixtures.issuer import ED25519, SECRET, jwk, publishing, sign
from tests.fixtures.people import Person
from tests.fixtures.raw_clients import server_api
from tests.fixtures.sdk import SDKS, Sdk
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

KEY = jwk(ED25519, "issuer-1")

SIGNERS: dict[str, Callable[[dict[str, object]], str]] = {
    "hmac": lambda claims: sign(claims, "HS256", SECRET),
    "jwks": lambda claims: sign(claims, "EdDSA", kid="issuer-1"),
}


@pytest.fixture
async def other() -> AsyncIterator[Sdk]:
    client = SDKS["javascript"]()
    yield client
    await client.close()


@pytest.mark.parametrize("keys", sorted(SIGNERS))
async def test_a_token_of_another_issuer_is_as_good_as_ours(
    stack_page: RunningStack, ada: Person, sdk: Sdk, other: Sdk, keys: str
) -> None:
    user, channel = f"foreign-{secrets.token_hex(4)}", f"room:foreign-{secrets.token_hex(4)}"
    given: list[str] = []

    async def get_token() -> str:
        # The first lives for two seconds: refreshing works with it, too.
        now = int(time.time())
        claims = {"sub": user, "iat": now, "exp": now + (3600 if given else 2), "jti": secrets.token_hex(8)}
        given.append(str(claims["jti"]))
        return SIGNERS[keys]({**claims, "info": {"name": "from elsewhere"}})

    async with publishing(KEY, port=stack_page.issuer_port):
        await sdk.connect(stack_page.ws_url, get_token)
        await other.connect(stack_page.ws_url, ada.connection_token)
        for client in (sdk, other):
            await client.subscribe(channel)
        await sdk.publish(channel, {"n": 1})
        await other.publish(channel, {"n": 2})
        for client in (sdk, other):
            await eventually(lambda client=client: client.seen.data(channel) == [{"n": 1}, {"n": 2}])
        assert sorted(await other.presence(channel)) == sorted([ada.user_id, user])
        await eventually(lambda: len(given) == 2, 20)
        await sdk.publish(channel, {"n": 3})
        await eventually(lambda: len(other.seen.data(channel)) == 3)
        assert sdk.seen.connecting == 1
        assert await server_api(stack_page, "revoke_token", uid=given[-1]) == {"result": {}}
        await eventually(lambda: sdk.seen.disconnected == [3503])
        assert other.seen.disconnected == []


@pytest.mark.parametrize("keys", sorted(SIGNERS))
async def test_a_token_that_only_looks_like_the_issuer_s_is_final(
    stack_page: RunningStack, sdk: Sdk, keys: str
) -> None:
    async def forged() -> str:
        claims = {"sub": "victim", "exp": int(time.time()) + 60}
        return SIGNERS[keys](claims)[:-8] + "AAAAAAAA"

    async with publishing(KEY, port=stack_page.issuer_port):
        connecting = asyncio.create_task(sdk.connect(stack_page.ws_url, forged))
        await eventually(lambda: sdk.seen.disconnected == [3500])
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
