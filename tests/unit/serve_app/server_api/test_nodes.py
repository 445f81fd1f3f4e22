import pytest

from serve_app.openapi import VERSION
from serve_app.server_api.registry import Refused
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


async def test_info_shows_what_every_process_holds() -> None:
    world = World()
    await world.subscribed("room:1", "u1")
    await world.subscribed("room:1", "u2")
    (node,) = (await ServerApi(world).call("info"))["nodes"]
    assert (node["uid"], node["version"]) == ("hub-1", VERSION)
    assert (node["num_clients"], node["num_users"], node["num_subs"], node["num_channels"]) == (2, 2, 2, 1)
    assert node["uptime"] == 0
    assert node["process"]["rss"] > 0


async def test_connections_of_a_user() -> None:
    world = World()
    one = await world.subscribed("room:1", "u1")
    await world.connected("u2")
    found = (await ServerApi(world).call("connections", user="u1"))["connections"]
    assert found == {
        one.peer.connection.client: {
            "app_name": "", "app_version": "", "transport": "messages", "protocol": "json", "user": "u1",
            "state": {"channels": {"room:1": {}}},
        }
    }  # fmt: skip
    with pytest.raises(Refused) as refused:
        await ServerApi(world).call("connections", user="u1", expression="true")
    assert refused.value.code == 108
