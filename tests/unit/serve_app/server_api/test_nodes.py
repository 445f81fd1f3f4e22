from serve_app.openapi import VERSION
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
