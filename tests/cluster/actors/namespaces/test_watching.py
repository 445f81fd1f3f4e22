"""Other rules for a running stack: every replica and every shard takes them, or none does, and no socket notices."""

import secrets

from actors.brokers import handle as brokers
from tests.fixtures.namespaces import changed_namespaces, in_force, reports
from tests.fixtures.raw_clients import RawClient, one_of_each, own_token, server_api
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

LATER = """
  later:
    history_size: 10
    history_ttl: 1m
    force_recovery: true
    allow_subscribe_for_client: true
"""


def with_later(text: str) -> str:
    """The same rules and one namespace more."""
    return text.replace("namespaces:\n", f"namespaces:{LATER}", 1)


async def shards_have(stack: RunningStack) -> set[str]:
    """The versions that the broker shards have in force."""
    stack.connect_ray()
    return {(await brokers.call(shard, "rules", b"", 5.0)).decode() for shard in range(stack.settings.broker_shards)}


async def nobody_was_dropped(stack: RunningStack, clients: list[RawClient], channel: str) -> None:
    """A publication by way of the api application reaches everybody."""
    data = secrets.token_hex(4)
    assert "result" in await server_api(stack, "publish", channel=channel, data=data)
    await eventually(lambda: all(client.heard(channel)[-1:] == [data] for client in clients))
    assert [client.code for client in clients if client.code is not None] == []


async def test_a_mistake_changes_nothing_anywhere_and_a_good_file_changes_everything(stack: RunningStack) -> None:
    await in_force(stack)
    (before,) = {str(report["version"]) for report in await reports(stack)}
    async with one_of_each(stack, lambda: own_token(stack, "reloader")) as clients:
        for client in clients:
            assert "subscribe" in await client.ask("subscribe", channel="room:reload")

        line = stack.namespaces_file.read_text().split("namespaces:\n")[0].count("\n") + 3
        broken = "namespaces:\n  later:\n    history_sise: 10\n"
        with changed_namespaces(stack, lambda text: text.replace("namespaces:\n", broken, 1)):

            async def seen_by_all() -> bool:
                return all(report["mistakes"] for report in await reports(stack))

            await eventually(seen_by_all, 30.0)
            assert {report["version"] for report in await reports(stack)} == {before}
            assert await shards_have(stack) == {before}
            said = stack.run("doctor")
            assert f"namespaces.yaml:{line}" in said.stdout, said.stdout
            assert "history_sise" in said.stdout
            for client in clients:
                assert (await client.ask("subscribe", channel="later:1"))["error"]["code"] == 102
            await nobody_was_dropped(stack, clients, "room:reload")
        await in_force(stack, before)

        with changed_namespaces(stack, with_later) as version:
            await in_force(stack, version)
            assert version != before
            assert await shards_have(stack) == {version}
            for client in clients:
                assert "subscribe" in await client.ask("subscribe", channel="later:1")
            await nobody_was_dropped(stack, clients, "later:1")
            await nobody_was_dropped(stack, clients, "room:reload")
        await in_force(stack, before)

        # Its namespace is gone: the channel ends, the connections live.
        await eventually(
            lambda: all(
                any(push.get("channel") == "later:1" and "unsubscribe" in push for push in client.pushes)
                for client in clients
            ),
            20.0,
        )
        assert await shards_have(stack) == {before}
        await nobody_was_dropped(stack, clients, "room:reload")
