"""A user's rate on the running stack: what is spent in one replica is spent in all."""

from tests.fixtures.namespaces import changed_namespaces, in_force
from tests.fixtures.raw_clients import own_token, raw_client, replicas
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

AT_ONCE = 20
"""Publications that a user may make at once; then one every three minutes."""

RATES = f"\nrate_limits: {{user: {{publish: {AT_ONCE}/h}}}}\n"


async def test_a_user_s_rate_holds_over_all_replicas(stack: RunningStack) -> None:
    here, there = (await replicas(stack))[:2]
    with changed_namespaces(stack, lambda text: text + RATES) as version:
        await in_force(stack, version)
        async with (
            raw_client(here, token=own_token(stack, "eager")) as one,
            raw_client(there, token=own_token(stack, "eager")) as two,
            raw_client(there, token=own_token(stack, "calm")) as other,
        ):
            for client in (one, two, other):
                assert "subscribe" in await client.ask("subscribe", channel="room:rates")
            for _ in range(AT_ONCE):
                assert "publish" in await one.ask("publish", channel="room:rates", data=1)
            assert (await one.ask("publish", channel="room:rates", data=1))["error"]["code"] == 111

            accepted = 0

            async def refused() -> bool:
                nonlocal accepted
                answer = await two.ask("publish", channel="room:rates", data=2)
                accepted += "publish" in answer
                return answer.get("error", {}).get("code") == 111

            await eventually(refused)
            assert accepted < AT_ONCE, "what was spent here was not heard of there"
            assert "publish" in await other.ask("publish", channel="room:rates", data=3)
    await in_force(stack, "")
