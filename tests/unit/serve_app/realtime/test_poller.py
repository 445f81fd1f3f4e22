"""When a poller asks, in virtual time: at once, every interval, later after failures, and never twice at a time."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.fixtures.hub import World, settle
from tests.fixtures.polls import CHANNEL, Backend, batch, play, track, tracking, values
from tests.fixtures.simulation import passes


def test_new_keys_are_asked_for_at_once_and_all_of_them_every_interval() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.values = {"a": (1, b"1"), "b": (7, b"2")}
        client = await tracking(world, batch("a", "b"))
        await passes(0.1)
        assert values(client) == [("a", 1), ("b", 2)]
        assert client.pushes[0] == {"channel": CHANNEL, "pub": {"data": 1, "key": "a", "version": 1}}
        backend.values["a"] = (2, b"3")
        await passes(3)
        assert values(client)[2:] == [("a", 3)]
        assert [asked for _, asked in backend.asked] == [
            {"a": 0, "b": 0},
            {"a": 1, "b": 7},
            *[{"a": 2, "b": 7}] * 2,
        ]
        times = [at for at, _ in backend.asked]
        assert [round(b - a, 6) for a, b in itertools.pairwise(times)] == [1.0] * 3

    play(story)


def test_a_key_that_comes_between_rounds_waits_for_no_round() -> None:
    async def story(world: World, backend: Backend) -> None:
        client = await tracking(world, batch("a"))
        await passes(0.3)
        backend.values = {"a": (1, b"1"), "b": (1, b"2")}
        await track(client, batch("b"))
        await track(client, batch("c"))
        await passes(0.1)
        assert [asked for _, asked in backend.asked] == [{"a": 0}, {"b": 0, "c": 0}]
        assert values(client) == [("b", 2)]

    play(story)


def test_coming_and_going_does_not_make_it_ask_more_often() -> None:
    async def story(world: World, backend: Backend) -> None:
        client = await tracking(world, batch("a"))
        for _ in range(200):
            await client.command("sub_refresh", channel=CHANNEL, type=2, untrack=["a"])
            await track(client, batch("a"))
            await passes(0.001)
        assert len(backend.asked) <= 0.2 / 0.02 + 1

    play(story)


@pytest.mark.parametrize("fault", [ValueError("no"), RuntimeError("broken")])
def test_a_failing_backend_is_asked_later_and_later_and_harms_nobody(fault: Exception) -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.fault = fault
        client = await tracking(world, batch("a"))
        await passes(200)
        times = [at for at, _ in backend.asked]
        assert [round(b - a) for a, b in itertools.pairwise(times)] == [2, 4, 8, 16, 32, 60, 60]
        await track(client, batch("b"))
        await passes(1)
        assert len(backend.asked) == len(times), "new keys wait for the backend too"
        backend.fault, backend.values = None, {"a": (1, b"1"), "b": (1, b"2")}
        await passes(60)
        assert values(client) == [("a", 1), ("b", 2)]
        assert client.socket.closed is None
        calls = len(backend.asked)
        await passes(1.01)
        assert len(backend.asked) == calls + 1

    play(story)


def test_a_slow_backend_is_never_asked_twice_at_once_and_given_up_after_its_time() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.takes_s = 3.0
        backend.values = {"a": (1, b"1")}
        client = await tracking(world, batch("a"))
        await passes(2)
        assert (await client.command("rpc", method="none"))["error"]["code"] == 108
        await passes(4.5)
        assert values(client) == [("a", 1)]
        times = [at for at, _ in backend.asked]
        assert [round(b - a, 3) for a, b in itertools.pairwise(times)] == [3.0] * 2
        backend.takes_s = 1000.0
        await passes(30)
        times = [at for at, _ in backend.asked][3:]
        assert [round(b - a) for a, b in itertools.pairwise(times)] == [12, 14]

    play(story)


def test_one_bad_portion_does_not_keep_the_others_from_their_values() -> None:
    async def story(world: World, backend: Backend) -> None:
        async def picky(channel: str, keys: Any) -> Any:
            if "a" in keys:
                raise ValueError("a")
            return await backend(channel, keys)

        world.handlers.polls["prices"] = picky
        backend.values = {"d": (1, b"1")}
        client = await tracking(world, batch("a", "b", "c", "d"))
        await passes(0.1)
        assert values(client) == [("d", 1)]

    play(story)


def test_stopping_ends_the_call_that_is_under_way() -> None:
    async def story(world: World, backend: Backend) -> None:
        backend.takes_s = 5.0
        await tracking(world, batch("a"))
        await passes(0.1)
        await world.hub.stop()
        await settle()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("shared poll")]

    play(story)
