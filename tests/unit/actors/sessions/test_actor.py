"""Session shards and their clients: who is connected, reaching and ending them, resets."""

import asyncio

import msgspec
import pytest

from actors.links.stream import LEASE_S
from actors.sessions.actor import EMULATION_QUEUE_BYTES, RECHECK_S
from actors.sessions.client import ADMIT_AFTER_S, Sessions, SessionsUnreachable
from actors.sessions.contract import HubAnswers, RefreshOrder, SubscribeOrder
from actors.sessions.wire import Retired, encode
from tests.fixtures.sessions import World
from tests.fixtures.simulation import passes, simulate


def test_connections_are_listed_reached_and_ended_wherever_they_are():
    async def main():
        async with World() as world:
            one, two, api = [await world.hub(boot) for boot in ("one", "two", "api")]
            assert await one.connect("c1", session="s1")
            assert await two.connect("c2", session="s2")
            assert await two.connect("other", user="v")
            records = await api.client.connections("u")
            assert {(record.client, record.hub, record.name) for record in records} == {
                ("c1", "one", "js"),
                ("c2", "two", "js"),
            }
            assert await api.client.send_to_user("u", b"{}") == 2
            await passes(1)
            assert (one.messages, two.messages) == ([("c1", b"{}")], [("c2", b"{}")])
            assert await api.client.disconnect_user("u", code=3503, reason="r", exclude=["c1"]) == 1
            assert await api.client.disconnect_user("u", code=3503, reason="r", session="s2") == 0
            assert await api.client.disconnect_user("u", code=4000, reason="r", client="c1") == 1
            await passes(1)
            assert (one.disconnected, two.disconnected) == ([("c1", 4000)], [("c2", 3503)])
            assert await api.client.connections("u") == []
            assert await api.client.connections("v") != []

    simulate(main())


def test_a_revoked_session_is_closed_and_refused_and_others_live():
    async def main():
        async with World() as world:
            hub, api = await world.hub("hub"), await world.hub("api")
            await hub.connect("c1", session="s1")
            await hub.connect("c2", session="s2")
            assert await api.client.revoke("u", session="s1") == 1
            await passes(1)
            assert hub.disconnected == [("c1", 3503)]
            assert not await hub.connect("c3", session="s1")
            assert await hub.connect("c4", session="s2")

    simulate(main())


def test_revoking_a_user_refuses_what_was_issued_until_now():
    async def main():
        async with World() as world:
            hub = await world.hub()
            await hub.connect("c1", issued_at_ms=world.now_ms - 5_000)
            assert await hub.client.revoke("u") == 1
            assert not await hub.connect("c2", issued_at_ms=world.now_ms - 1_000)
            assert await hub.connect("c3", issued_at_ms=world.now_ms)
            assert await hub.connect("c4", user="v", issued_at_ms=world.now_ms - 5_000)

    simulate(main())


def test_a_revocation_that_arrives_while_a_registration_is_checked_wins():
    async def main():
        async with World() as world:
            hub = await world.hub()
            world.rows.delay_s = 0.5
            connecting = asyncio.create_task(hub.connect("c1"))
            await passes(0.1)
            assert await hub.client.revoke("u", session="s") == 1
            assert not await connecting
            assert await hub.client.connections("u") == []

    simulate(main())


def test_a_restarted_shard_asks_the_database_and_does_not_forget():
    async def main():
        async with World() as world:
            hub = await world.hub()
            await hub.connect("c1", session="s1")
            await hub.connect("c2", session="s2")
            # Revoked while the shard was away: nobody told it.
            world.rows.ended_sessions.add("s1")
            await world.begin()
            await passes(5)
            assert hub.disconnected == [("c1", 3503)]
            assert [record.client for record in await hub.client.connections("u")] == ["c2"]
            assert not await hub.connect("c3", session="s1")
            assert hub.results["c2"] == [True], "the caller is told once"

    simulate(main())


def test_a_storm_is_few_questions():
    async def main():
        async with World() as world:
            hub = await world.hub()
            world.rows.delay_s = 0.01
            results = await asyncio.gather(*(hub.connect(f"c{n}") for n in range(2000)))
            assert all(results)
            assert world.rows.questions < 10

    simulate(main())


def test_without_the_database_connections_are_admitted_and_closed_later_if_revoked():
    async def main():
        async with World() as world:
            hub = await world.hub()
            world.rows.down = True
            assert await hub.connect("c1", session="s1")
            assert await hub.connect("c2", session="s2")
            await hub.client.revoke("u", session="s3")
            assert not await hub.connect("c3", session="s3"), "what the shard knows still counts"
            world.rows.ended_sessions.add("s1")
            world.rows.down = False
            await passes(5)
            assert hub.disconnected == [("c1", 3503)]

    simulate(main())


def test_without_the_shard_connections_are_admitted_in_time_and_orders_fail():
    async def main():
        async with World() as world:
            hub = await world.hub()
            world.broken = True
            before = asyncio.get_running_loop().time()
            assert await hub.connect("c1", session="s1")
            assert asyncio.get_running_loop().time() - before <= ADMIT_AFTER_S + 1
            with pytest.raises(SessionsUnreachable):
                await hub.client.revoke("u")
            world.rows.ended_sessions.add("s1")
            world.broken = False
            await passes(30)
            assert hub.disconnected == [("c1", 3503)]

    simulate(main())


def test_an_ended_connection_is_forgotten_also_when_its_hub_was_cut_off():
    async def main():
        async with World() as world:
            hub = await world.hub()
            await hub.connect("c1")
            await hub.connect("c2")
            hub.client.unregister("c1", "u")
            await passes(1)
            assert [record.client for record in await hub.client.connections("u")] == ["c2"]
            link = hub.client._views[0].link
            link._detach(link.incarnation)
            hub.client.unregister("c2", "u")
            link._reader.cancel()
            link._reader = asyncio.create_task(link._read())
            await passes(5)
            assert await hub.client.connections("u") == []

    simulate(main())


def test_a_dead_hubs_connections_are_forgotten_with_its_lease():
    async def main():
        async with World() as world:
            dying, api = await world.hub("dying"), await world.hub("api")
            await dying.connect("c1")
            await dying.client.stop()
            await passes(LEASE_S + 12)
            assert await api.client.connections("u") == []
            assert world.shard.registry.users == {}

    simulate(main())


def test_a_user_has_so_many_connections_in_the_whole_cluster_and_no_more():
    async def main():
        async with World(per_user=2) as world:
            one, two = await world.hub("one"), await world.hub("two")
            assert await one.connect("c1")
            assert await two.connect("c2")
            third = asyncio.ensure_future(two.connect("c3"))
            await passes(5)
            # Closed with its own code, and neither admitted nor refused as revoked.
            assert two.disconnected == [("c3", 3504)]
            assert not third.done()
            two.client.unregister("c3", "u")
            assert await one.connect("c4", user="v")
            assert {record.client for record in await one.client.connections("u")} == {"c1", "c2"}
            one.client.unregister("c1", "u")
            await passes(1)
            assert await two.connect("c5")

    simulate(main())


def test_a_restarted_shard_counts_everybody_once():
    async def main():
        async with World(per_user=2) as world:
            hub = await world.hub()
            assert await hub.connect("c1")
            assert await hub.connect("c2")
            await world.begin()
            await passes(30)
            assert {record.client for record in await hub.client.connections("u")} == {"c1", "c2"}
            assert hub.disconnected == []

    simulate(main())


def test_commands_reach_the_process_that_owns_the_session_in_order():
    async def main():
        async with World() as world:
            owner, other, api = [await world.hub(boot) for boot in ("owner", "other", "api")]
            owner.emulated.add("e")
            asked = [api.client.emulate("owner", "e", b"%d" % n) for n in range(200)]
            assert all(await asyncio.gather(*asked))
            assert owner.commands == [("e", b"%d" % n) for n in range(200)]
            assert await other.client.emulate("owner", "e", b"last")
            assert owner.commands[-1] == ("e", b"last")
            assert other.commands == api.commands == []

    simulate(main())


def test_commands_for_nobody_are_answered_at_once():
    async def main():
        async with World() as world:
            owner, api = await world.hub("owner"), await world.hub("api")
            assert not await api.client.emulate("nobody", "e", b"1")
            assert not await api.client.emulate("owner", "ended", b"1")
            assert owner.commands == [("ended", b"1")]
            await owner.client.stop()
            await passes(LEASE_S + 12)
            assert not await api.client.emulate("owner", "ended", b"1")

    simulate(main())


def test_a_process_that_does_not_read_is_handed_no_more_commands():
    async def main():
        async with World() as world:
            owner, api = await world.hub("owner"), await world.hub("api")
            await owner.client.stop()
            asked = [asyncio.create_task(api.client.emulate("owner", "e", b"x" * 60_000)) for _ in range(30)]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(outcome, SessionsUnreachable) for outcome in outcomes)
            assert any("behind" in str(outcome) for outcome in outcomes)
            assert world.shard.streams.clients["owner"].size <= EMULATION_QUEUE_BYTES + 10_000
            assert not world.shard.streams.clients["owner"].lost

    simulate(main())


def test_orders_reach_the_connections_that_are_meant_wherever_they_are():
    async def main():
        async with World() as world:
            one, two, api = [await world.hub(boot) for boot in ("one", "two", "api")]
            assert await one.connect("c1", session="s1")
            assert await two.connect("c2", session="s2")
            assert await two.connect("other", user="v")
            order = SubscribeOrder(
                "news",
                info=b"1",
                data=b"{}",
                expire_at=9,
                since=("e", 4),
                override={"presence": True, "join_leave": False},
            )
            assert await api.client.subscribe_user("u", order) == 2
            assert await api.client.unsubscribe_user("u", "news", code=2000, reason="r", session="s1") == 1
            assert await api.client.refresh_user("u", RefreshOrder(expired=True), client="c2") == 1
            assert await api.client.refresh_user("u", RefreshOrder(), client="c2", session="s1") == 0
            assert await api.client.send_to_user("u", b"{}", client="c1") == 1
            assert await api.client.send_to_user("nobody", b"{}") == 0
            await passes(1)
            assert one.orders == [("subscribe", ["c1"], order), ("unsubscribe", ["c1"], "news", 2000, "r")]
            assert two.orders == [("subscribe", ["c2"], order), ("refresh", ["c2"], RefreshOrder(expired=True))]
            assert (one.messages, two.messages) == ([("c1", b"{}")], [])

    simulate(main())


def test_every_hub_is_asked_and_answers_reach_only_the_asker():
    async def main():
        async with World() as world:
            one, two = [await world.hub(boot) for boot in ("one", "two")]
            api = Sessions("api", None, shards=1, call=world.call)
            await api.start()
            found = await api.ask_hubs(b"?")
            assert found == HubAnswers({"one": b"one heard ?", "two": b"two heard ?"}, [])
            assert (await api.ask_hubs(b"!", hub="two")).answers == {"two": b"two heard !"}
            assert (await api.ask_hubs(b"!", hub="three")).answers == {}
            assert (one.questions, two.questions) == ([b"?"], [b"?", b"!"])

    simulate(main())


def test_a_hub_that_does_not_answer_is_named_and_the_others_answers_are_kept():
    async def main():
        async with World() as world:
            one, two = [await world.hub(boot) for boot in ("one", "two")]
            api = Sessions("api", None, shards=1, call=world.call)
            await api.start()
            await two.client.stop()
            assert await api.ask_hubs(b"?") == HubAnswers({"one": b"one heard ?"}, ["two"])
            assert one.questions == [b"?"]
            await passes(LEASE_S + 1)
            assert await api.ask_hubs(b"?") == HubAnswers({"one": b"one heard ?"}, [])

    simulate(main())


def test_after_a_restart_hubs_are_known_again():
    async def main():
        async with World() as world:
            await world.hub("one")
            api = Sessions("api", None, shards=1, call=world.call)
            await api.start()
            await api.wait_attached()
            await world.begin()
            await passes(2)
            assert (await api.ask_hubs(b"?")).answers == {"one": b"one heard ?"}
            world.broken = True
            with pytest.raises(SessionsUnreachable):
                await api.ask_hubs(b"?")

    simulate(main())


def test_a_revoked_token_closes_what_it_opened_and_opens_nothing_more():
    async def main():
        async with World() as world:
            hub, other = await world.hub("one"), await world.hub("two")
            assert await hub.connect("a", "u", "", 100, "t1")
            assert await other.connect("b", "v", "", 100, "t2")
            assert await other.connect("c", "v", "", 900, "t3")
            started = asyncio.get_running_loop().time()
            assert await hub.client.revoke_tokens(token_id="t1") == 1
            assert await hub.client.revoke_tokens(user="v", issued_before_ms=500) == 1
            await passes(0.5)
            assert (hub.disconnected, other.disconnected) == ([("a", 3503)], [("b", 3503)])
            assert asyncio.get_running_loop().time() - started < 1.0
            assert not await hub.connect("d", "u", "", 900, "t1")
            assert not await hub.connect("e", "v", "", 499, "t9")
            assert await hub.connect("f", "v", "", 500, "t9")

    simulate(main())


def test_a_revocation_whose_order_was_lost_is_found_in_the_rows():
    async def main():
        async with World() as world:
            one, two = await world.hub("one"), await world.hub("two")
            assert await one.connect("c1", session="s1")
            assert await two.connect("c2", session="s2")
            world.rows.ended_sessions.add("s2")
            await passes(RECHECK_S + 2)
            assert (one.disconnected, two.disconnected) == ([], [("c2", 3503)])
            assert {record.client for record in await one.client.connections("u")} == {"c1"}
            questions = world.rows.questions
            await passes(3 * RECHECK_S)
            assert world.rows.questions - questions <= 4
            assert one.results["c1"] == [True]

    simulate(main())


def test_looking_again_while_the_database_is_away_ends_nobody():
    async def main():
        async with World() as world:
            hub = await world.hub()
            assert await hub.connect("c1", session="s1")
            world.rows.down = True
            await passes(2 * RECHECK_S)
            assert hub.disconnected == []
            assert await hub.connect("c2", session="s1")
            world.rows.down = False
            world.rows.ended_sessions.add("s1")
            await passes(RECHECK_S)
            assert sorted(hub.disconnected) == [("c1", 3503), ("c2", 3503)]

    simulate(main())


def test_connections_without_a_user_are_found_by_their_id_and_are_not_counted_together():
    async def main():
        async with World(per_user=1) as world:
            hub, api = await world.hub("hub"), await world.hub("api")
            for client in ("a1", "a2"):
                assert await hub.connect(client, user="", session="")
            assert world.rows.questions == 0, "nothing can have revoked them"
            assert await api.client.send_to_user("", b"{}", client="a2") == 1
            assert await api.client.disconnect_user("", code=3503, reason="r", client="a1") == 1
            assert await api.client.disconnect_user("", code=3503, reason="r", client="no such") == 0
            await passes(1)
            assert (hub.messages, hub.disconnected) == ([("a2", b"{}")], [("a1", 3503)])
            hub.client.unregister("a2", "")
            await passes(1)
            assert await api.client.send_to_user("", b"{}", client="a2") == 0

    simulate(main())


def test_a_token_without_a_user_can_be_revoked():
    async def main():
        async with World() as world:
            hub, api = await world.hub("hub"), await world.hub("api")
            assert await hub.connect("a1", user="", session="", token_id="j1")
            assert world.rows.questions == 1
            assert await api.client.revoke_tokens(token_id="j1") == 1
            await passes(1)
            assert hub.disconnected == [("a1", 3503)]
            assert not await hub.connect("a2", user="", session="", token_id="j1")

    simulate(main())


def test_what_a_user_spends_is_told_to_every_other_process_that_has_connections():
    async def main():
        async with World() as world:
            one, two, three = [await world.hub(boot) for boot in ("one", "two", "three")]
            one.client.spend({"u": {"rpc": 2}, "v": {"all": 1}})
            await passes(0.5)
            assert one.spent == []
            assert two.spent == three.spent == [("u", {"rpc": 2}), ("v", {"all": 1})]

    simulate(main())


def test_a_process_that_is_behind_is_not_told_what_users_spend(monkeypatch):
    monkeypatch.setattr("actors.sessions.actor.SPENDING_QUEUE_BYTES", 0)

    async def main():
        async with World() as world:
            one, two = [await world.hub(boot) for boot in ("one", "two")]
            one.client.spend({"u": {"rpc": 2}})
            await passes(0.5)
            assert two.spent == []

    simulate(main())


def test_every_hub_hears_which_haproxys_to_leave():
    async def main():
        async with World() as world:
            one, two = [await world.hub(boot) for boot in ("one", "two")]
            await world.call(0, "retire", encode(Retired(["a-1", "b-7"])), 3.0)
            await passes(0.5)
            assert one.retired == two.retired == ["a-1", "b-7"]

    simulate(main())


def test_what_no_hub_could_read_is_told_to_none():
    async def main():
        async with World() as world:
            one = await world.hub("one")
            with pytest.raises(msgspec.DecodeError):
                await world.call(0, "retire", b"\xc1", 3.0)
            await passes(0.5)
            assert one.retired == []

    simulate(main())


def test_a_credential_that_cannot_be_asked_about_is_refused_and_holds_nobody_up():
    async def main():
        async with World() as world:
            hub = await world.hub("hub")
            world.rows.ended_sessions = {"ended"}
            who = [("c1", "s", ""), ("c2", "s", "\0 of another issuer"), ("c3", "ended", ""), ("c4", "s", "")]
            asking = [hub.connect(client, "u", session, token_id=token) for client, session, token in who]
            assert await asyncio.gather(*asking) == [True, False, False, True]
            assert {record.client for record in await hub.client.connections("u")} == {"c1", "c4"}

    simulate(main())


def test_who_left_while_the_database_was_away_is_not_asked_about():
    async def main():
        async with World() as world:
            hub = await world.hub("hub")
            world.rows.down = True
            await asyncio.gather(hub.connect("c1", token_id="left"), hub.connect("c2", token_id="stays"))
            hub.client.unregister("c1", "u")
            world.rows.asked.clear()
            await passes(5)
            assert len(world.rows.asked) > 2
            assert {tuple(asked) for asked in world.rows.asked} == {("stays",)}

    simulate(main())
