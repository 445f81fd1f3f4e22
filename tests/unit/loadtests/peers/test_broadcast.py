"""The plain peer does what it is compared for: everybody gets every publication."""

from loadtests.client import Pool, timed_payload
from loadtests.processes import peer
from tests.fixtures.waiting import eventually


async def test_everybody_gets_it() -> None:
    async with peer("loadtests.peers.broadcast") as (_, port):
        pool = Pool(f"ws://127.0.0.1:{port}/")
        connections = await pool.open(7, channels=["room:x"])
        reply = await connections[0].publish_acknowledged("room:x", timed_payload(100))
        assert reply["publish"] == {}
        await eventually(lambda: pool.tally.deliveries == 7)
        pool.close()
