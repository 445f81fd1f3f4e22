"""Subscriptions with tokens of their own, registered beside their connection; users who may not connect."""

from actors.sessions.actor import RECHECK_S
from tests.fixtures.sessions import World
from tests.fixtures.simulation import passes, simulate


def test_a_revoked_subscription_token_ends_its_subscription_and_opens_no_other():
    async def main():
        async with World(per_user=1) as world:
            hub = await world.hub("one")
            assert await hub.connect("a", "u", "", 100, "t0")
            for channel, token in (("x", "t1"), ("y", "t2"), ("z", "t3")):
                assert await hub.connect("a", "u", "", 100, token, channel), "no connection too many"
            assert await hub.client.revoke_tokens(token_id="t1") == 1
            assert await hub.client.revoke_tokens(user="u", issued_before_ms=500, channel="y") == 1
            await passes(0.5)
            assert hub.orders == [("unsubscribe", ["a"], channel, 2000, "token revoked") for channel in ("x", "y")]
            assert hub.disconnected == []
            assert not await hub.connect("b", "u", "", 100, "t1", "x")
            assert not await hub.connect("b", "u", "", 100, "t9", "y")
            assert await hub.connect("b", "u", "", 500, "t9", "y")
            assert {record.client for record in await hub.client.connections("u")} == {"a"}
            hub.client.unregister("a", "u", "z")
            await passes(0.5)
            assert await hub.client.revoke_tokens(token_id="t3") == 0

    simulate(main())


def test_a_revoked_subscription_token_is_found_in_the_rows_and_after_a_restart():
    async def main():
        async with World() as world:
            hub = await world.hub("one")
            for channel, token in (("x", "t1"), ("y", "t2")):
                assert await hub.connect("a", "u", "", 100, token, channel)
            world.rows.ended_tokens.add("t1")
            await passes(RECHECK_S + 2)
            assert hub.orders == [("unsubscribe", ["a"], "x", 2000, "token revoked")]
            hub.client.unregister("a", "u", "x")
            world.rows.ended_tokens.add("t2")
            await world.begin()
            await passes(5)
            assert hub.orders[1:] == [("unsubscribe", ["a"], "y", 2000, "token revoked")]

    simulate(main())


def test_a_blocked_user_is_closed_everywhere_and_refused_until_unblocked():
    async def main():
        async with World() as world:
            one, two = await world.hub("one"), await world.hub("two")
            await one.connect("c1")
            await two.connect("c2", session="")
            await two.connect("c3", user="v")
            world.rows.blocked.add("u")
            assert await one.client.block("u", until_ms=world.now_ms + 60_000) == 2
            await passes(1)
            assert (one.disconnected, two.disconnected) == ([("c1", 3503)], [("c2", 3503)])
            assert not await two.connect("c4", session="")
            world.rows.blocked.clear()
            assert await two.client.block("u", until_ms=0) == 0
            assert await two.connect("c5")

    simulate(main())


def test_a_user_is_blocked_also_while_the_database_does_not_answer_and_by_the_rows_once_it_does():
    async def main():
        async with World() as world:
            hub = await world.hub()
            world.rows.blocked.add("u")
            await hub.client.block("u", until_ms=world.now_ms + 60_000)
            world.rows.down = True
            assert not await hub.connect("c1")
            assert await hub.connect("c2", user="v")
            world.now_ms += 60_000
            assert await hub.connect("c3"), "the block is over"
            world.now_ms -= 60_000
            # Unblocked by a process that could not say so any more.
            world.rows.blocked.clear()
            world.rows.down = False
            await passes(5)
            world.rows.down = True
            assert await hub.connect("c4"), "the rows said so"

    simulate(main())
