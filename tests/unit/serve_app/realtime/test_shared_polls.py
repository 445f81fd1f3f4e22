"""A hub that polls, in virtual time: how often it asks, whom it tells, and what a bad backend does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from centrifuge.fossil import apply_delta

from actors.brokers.actor import BrokerShard
from actors.brokers.client import Brokers
from actors.protocol.namespaces import Namespaces
from serve_app.realtime.environment import Limits
from serve_app.realtime.hub import Hub
from tests.fixtures.brokers import NOWHERE, Network, NoDatabase
from tests.fixtures.hub import Client, World
from tests.fixtures.polls import CHANNEL, POLL_NAMESPACES, SECRET, Backend, batch, play, track, tracking, values
from tests.fixtures.realtime import WALL_START
from tests.fixtures.simulation import passes, simulate


def test_one_call_serves_everybody_and_a_newcomer_is_answered_from_what_is_known() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.values = {"a": (1, b"1")}
        clients = [await tracking(world, batch("a", user=f"u{n}"), user=f"u{n}") for n in range(5)]
        await passes(0.1)
        assert len(backend.asked) == 1
        assert all(values(client) == [("a", 1)] for client in clients)
        newcomer = await world.subscribed(CHANNEL, type=4)
        answer = await track(newcomer, batch("a"))
        assert answer["sub_refresh"] == {"items": [{"data": 1, "key": "a", "version": 1}]}
        knowing = await world.subscribed(CHANNEL, type=4)
        assert (await track(knowing, batch("a", a=1)))["sub_refresh"] == {}
        await passes(0.5)
        assert len(backend.asked) == 1
        assert values(newcomer) == values(knowing) == []

    play(story)


def test_those_who_left_or_untracked_are_told_nothing_and_nobody_is_asked_for_nobody() -> None:
    async def story(world: World, backend: Backend) -> None:
        gone, untracks, stays = [await tracking(world, batch("a")) for _ in range(3)]
        await passes(0.1)
        world.hub.lost(gone.peer)
        await untracks.command("sub_refresh", channel=CHANNEL, type=2, untrack=["a"])
        backend.values = {"a": (1, b"1")}
        await passes(1)
        assert (values(untracks), values(stays)) == ([], [("a", 1)])
        await stays.command("unsubscribe", channel=CHANNEL)
        calls = len(backend.asked)
        await passes(100)
        assert len(backend.asked) == calls
        assert len(world.hub.polls) == 0

    play(story)


def stays_behind(world: World) -> Callable[[], None]:
    """From now on nothing is told until the function that this returns is called."""
    turns = world.hub.polls._turns
    # Its next turn is the function's, not the loop's: only so is the process behind for as long as the test says.
    turns._budget_s, turns._continue_later = -1.0, lambda: None  # type: ignore[method-assign]

    def catch_up() -> None:
        del turns._continue_later
        turns._budget_s = 60.0
        turns.drain()

    return catch_up


def test_a_process_that_stays_behind_keeps_the_newest_value_of_each_key_and_no_more() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.values = {"a": (1, b"1")}
        plain = await tracking(world, batch("a", "b"))
        fossil = await world.subscribed(CHANNEL, "u3", type=4, delta="fossil")
        await track(fossil, batch("a", user="u3"))
        backend.values["a"] = (2, b'"' + b"long" * 20 + b'2"')
        await passes(1.1)
        base = patched(fossil, b"")
        catch_up = stays_behind(world)
        for version in range(3, 13):
            backend.values["a"] = (version, b'"' + b"long" * 20 + str(version).encode() + b'"')
            await passes(1)
        backend.values["b"] = (1, b"0")
        await passes(1)
        assert world.hub.polls._turns.waiting == 2
        catch_up()
        await passes(0.1)
        assert [value for _, value in values(plain)[-2:]] == ["long" * 20 + "12", 0]
        assert len(values(plain)) <= 4
        assert fossil.pushes[-1]["pub"]["delta"] is True
        assert patched(fossil, base) == b'"' + b"long" * 20 + b'12"'
        assert not world.hub.polls._unsent

    play(story)


def test_of_a_key_that_was_removed_meanwhile_the_removal_is_told_and_then_what_it_became() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.values = {"a": (1, b"1")}
        first, second = [await tracking(world, batch("a")) for _ in range(2)]
        await passes(0.1)
        catch_up = stays_behind(world)
        for version, again in ((2, 4), (5, 7)):
            backend.values["a"] = (version, b"0")
            await passes(1)
            backend.values["a"] = (-version - 1, b"")
            await passes(1)
            backend.values["a"] = (again, str(again).encode())
            await track(first, batch("a"))
            await passes(1)
        catch_up()
        await passes(0.1)
        assert values(first)[1:] == [("a", "removed"), ("a", "removed"), ("a", 7)]
        assert values(second)[1:] == [("a", "removed")]

    play(story)


def test_track_and_untrack_in_one_request() -> None:
    async def story(world: World, backend: Backend) -> None:
        client = await world.subscribed(CHANNEL, type=4)
        assert (await track(client, batch("a", "b"), untrack=["b"]))["sub_refresh"] == {}
        await passes(0.1)
        assert [asked for _, asked in backend.asked] == [{"a": 0}]

    play(story)


def test_a_removed_key_is_told_and_asked_for_no_more() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.values = {"a": (-3, b""), "b": (1, b"1")}
        client = await tracking(world, batch("a", "b"))
        await passes(2.5)
        assert values(client) == [("a", "removed"), ("b", 1)]
        assert [asked for _, asked in backend.asked][1:] == [{"b": 1}] * 2

    play(story)


def test_keys_end_with_their_signature_and_live_on_with_a_new_one() -> None:
    async def story(world: World, backend: Backend) -> None:
        end = int(WALL_START) + 30
        ends, renews = await tracking(world, batch("a", end=end)), await tracking(world, batch("a", end=end))
        await passes(33)
        answer = await track(renews, batch("a", end=end + 600))
        assert answer["sub_refresh"] == {"expires": True, "ttl": 597}
        await passes(3)
        backend.values = {"a": (1, b"1")}
        await passes(2)
        assert (values(ends), values(renews)) == ([], [("a", 1)])
        await passes(700)
        assert len(world.hub.polls) == 0

    play(story)


def test_limits_and_a_missing_callback_are_errors() -> None:
    async def story(world: World, backend: Backend) -> None:
        client = await world.subscribed(CHANNEL, type=4)
        assert (await track(client, batch("a", "b", "c", "d", "e")))["error"]["code"] == 106
        del world.handlers.polls["prices"]
        assert (await track(client, batch("a")))["error"]["code"] == 108
        assert (await client.command("subscribe", channel="prices:us", type=4))["error"]["code"] == 108
        assert backend.asked == []

    play(story)


def patched(client: Client, text: bytes) -> bytes:
    """The newest value of a client that agreed to deltas, whose base is this text."""
    pub = client.pushes[-1]["pub"]
    return apply_delta(text, pub["data"].encode()) if pub.get("delta") else pub["data"].encode()


def test_values_come_as_patches_of_what_the_client_was_sent() -> None:
    async def story(world: World, backend: Backend) -> None:
        text = "a value that is long enough for a patch to be worth it, ünd not only ASCII, number %d"
        versions = [f'"{text % n}"'.encode() for n in range(6)]
        client = await world.subscribed(CHANNEL, type=4, delta="fossil")
        plain = await tracking(world, batch("a", user="u2"), user="u2")
        backend.values = {"a": (1, versions[0])}
        await track(client, batch("a"))
        await passes(1.5)
        assert "delta" not in client.pushes[-1]["pub"]
        assert patched(client, b"") == versions[0]
        for version in (1, 2):
            backend.values["a"] = (version + 1, versions[version])
            await passes(1)
            assert client.pushes[-1]["pub"]["delta"] is True
            assert patched(client, versions[version - 1]) == versions[version]
        assert [value for _, value in values(plain)] == [version[1:-1].decode() for version in versions[:3]]
        # A newcomer reads the value as text too, and then patches of it.
        late = await world.subscribed(CHANNEL, "u3", type=4, delta="fossil")
        [item] = (await track(late, batch("a", user="u3")))["sub_refresh"]["items"]
        assert item["data"].encode() == versions[2]
        # Whoever has a version from elsewhere has no base here, and who is ahead of it is told nothing.
        elsewhere = await world.subscribed(CHANNEL, "u4", type=4, delta="fossil")
        assert (await track(elsewhere, batch("a", user="u4", a=3)))["sub_refresh"] == {}
        ahead = await world.subscribed(CHANNEL, "u5", type=4, delta="fossil")
        await track(ahead, batch("a", user="u5", a=4))
        backend.values["a"] = (4, versions[3])
        await passes(1)
        assert patched(late, versions[2]) == patched(client, versions[2]) == versions[3]
        assert late.pushes[-1]["pub"]["delta"] is True
        assert "delta" not in elsewhere.pushes[-1]["pub"]
        assert patched(elsewhere, b"") == versions[3]
        assert ahead.pushes == []
        backend.values["a"] = (5, versions[4])
        await passes(1)
        assert "delta" not in ahead.pushes[-1]["pub"]
        assert patched(elsewhere, versions[3]) == patched(ahead, b"") == versions[4]
        # Untracked and tracked again: it may have forgotten.
        await client.command("sub_refresh", channel=CHANNEL, type=2, untrack=["a"])
        assert "items" in (await track(client, batch("a")))["sub_refresh"]

    play(story)


def test_what_was_refused_takes_nothing_away_from_who_comes_after() -> None:
    async def story(world: World, backend: Backend) -> None:
        client = await world.subscribed(CHANNEL, type=4)
        assert (await track(client, batch("a", "b", "c", "d", "e")))["error"]["code"] == 106
        backend.values = {"a": (1, b"1")}
        await track(client, batch("a"))
        await passes(0.1)
        assert len(world.hub.polls) == 1
        await client.command("sub_refresh", channel=CHANNEL, type=2, untrack=["a"])
        calls = len(backend.asked)
        await passes(100)
        assert len(backend.asked) == calls, "it is still known who asks, and told that nobody needs it"

    play(story)


class Cluster:
    """Hubs of several processes, one shard, one backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        rules = Namespaces.parse(POLL_NAMESPACES)
        self.shard = BrokerShard(0, 1, NOWHERE, namespaces=rules, store=NoDatabase(), reader=NoDatabase())
        self.network = Network(self.shard)
        self.worlds: list[World] = []

    async def process(self, name: str) -> World:
        world = World(namespaces=POLL_NAMESPACES, track_secret=SECRET, limits=Limits(ping_s=100_000))
        world.handlers.poll("prices", self.backend)
        loop = asyncio.get_running_loop()
        start = loop.time()
        world.env.wall = lambda: WALL_START + loop.time() - start
        world.hub = Hub(name, world.env, world.handlers, max_connections=10)
        world.sessions.sink = world.hub
        brokers = Brokers(name, world.hub.channels, shards=1, call=self.network.call)
        world.hub.start(brokers, world.sessions)
        await brokers.start()
        await brokers.wait_attached()
        self.worlds.append(world)
        return world

    async def tracking(self, world: World, *keys: str) -> Client:
        client = await world.connected()
        for kind, body in (
            ("subscribe", {"channel": CHANNEL, "type": 4}),
            ("sub_refresh", {"channel": CHANNEL, "type": 1, "track": [batch(*keys)]}),
        ):
            await client.command(kind, **body)
            await passes(0.01)
        assert [kind for reply in client.socket.messages for kind in reply if kind in ("subscribe", "sub_refresh")]
        return client


def known(client: Client) -> list[tuple[str, Any]]:
    """What came with the answer to tracking."""
    answers = [message["sub_refresh"] for message in client.socket.messages if "sub_refresh" in message]
    return [(item["key"], item["data"]) for answer in answers for item in answer.get("items", [])]


def cluster(story: Callable[[Cluster, Backend], Awaitable[None]]) -> None:
    async def main() -> None:
        backend = Backend()
        made = Cluster(backend)
        await made.shard.start()
        await story(made, backend)
        for world in made.worlds:
            await world.hub.stop()
        await made.shard.stop()

    simulate(main())


def test_the_whole_cluster_asks_once_and_everybody_hears_of_it() -> None:
    async def story(made: Cluster, backend: Backend) -> None:
        backend.values = {"a": (1, b"1"), "b": (1, b"2"), "c": (1, b"3")}
        worlds = [await made.process(f"p{number}") for number in range(4)]
        clients = [await made.tracking(world, "a", other) for world, other in zip(worlds, "bbbc", strict=True)]
        await passes(1.5)
        backend.asked.clear()
        backend.values["a"] = (2, b"9")
        await passes(10)
        # What is known already comes with the answer to tracking, the rest as pushes.
        assert [sorted(known(client) + values(client)) for client in clients] == [
            *[[("a", 1), ("a", 9), ("b", 2)]] * 3,
            [("a", 1), ("a", 9), ("c", 3)],
        ]
        times = [at for at, _ in backend.asked]
        assert len(times) in (10, 11), "one call per interval for all keys of all processes"
        assert {frozenset(asked) for _, asked in backend.asked} == {frozenset("abc")}

    cluster(story)


def test_when_the_one_that_asks_dies_another_goes_on() -> None:
    async def story(made: Cluster, backend: Backend) -> None:
        backend.values = {"a": (1, b"1")}
        first, second = await made.process("one"), await made.process("other")
        await made.tracking(first, "a")
        client = await made.tracking(second, "a")
        await passes(0.5)
        await first.hub.stop()
        backend.values["a"] = (2, b"2")
        await passes(2)
        assert values(client)[-1] == ("a", 2)

    cluster(story)


def test_without_the_shard_every_process_asks_for_itself() -> None:
    async def story(made: Cluster, backend: Backend) -> None:
        backend.values = {"a": (1, b"1")}
        worlds = [await made.process("one"), await made.process("other")]
        clients = [await made.tracking(world, "a") for world in worlds]
        await passes(0.5)
        made.network.fault = lambda method: "error"
        backend.values["a"] = (2, b"2")
        await passes(10)
        assert [values(client)[-1] for client in clients] == [("a", 2)] * 2

    cluster(story)


def test_a_backend_that_fails_is_asked_by_the_cluster_as_rarely_as_by_one() -> None:
    async def story(made: Cluster, backend: Backend) -> None:
        backend.fault = ValueError("no")
        worlds = [await made.process(f"p{number}") for number in range(4)]
        clients = [await made.tracking(world, "a") for world in worlds]
        await passes(200)
        assert len(backend.asked) < 12
        backend.fault, backend.values = None, {"a": (1, b"1"), "b": (1, b"2")}
        await passes(61)
        assert [values(client) for client in clients] == [[("a", 1)]] * 4
        # Where it failed last it is not waited for any longer.
        for world in worlds:
            assert [poller._failures for poller in world.hub.polls.pollers] == [0]

    cluster(story)
