"""Old HAProxy processes are bounded on every node, wherever the sockets behind them are held (DESIGN §5, 19)."""

import asyncio
import contextlib
from contextlib import AsyncExitStack

from cluster.paths import Paths
from cluster.ray_runtime.generations import MAX_GENERATIONS, Generation, directory, living
from tests.fixtures.listeners import Listener
from tests.fixtures.nodes import LIMIT_S, JoinedNode, answers, back_on_one_node, joined
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import PATIENCE, NeverHappened, eventually

PLACEMENTS = 4
PLACED_S = 20.0
EMPTY_LIMIT_S = 180.0
"""Settled, looked at, and closed over a minute."""


async def test_sockets_behind_old_haproxys_are_sent_elsewhere_also_those_that_came_through_another_node(
    stack: RunningStack,
) -> None:
    """Each deployment leaves an HAProxy that lives for its sockets; beyond four the oldest is emptied."""
    async with AsyncExitStack() as leaving, joined(stack) as node:
        await has_haproxy(stack, node)
        # Their sockets are all held by the head: nothing of `realtime` runs on the other node.
        assert node.titled("ServeReplica:realtime") == []
        elsewhere = f"ws://127.0.0.1:{node.http_port}/connection/websocket"
        ours: list[tuple[Listener, Generation]] = []
        theirs: list[tuple[Listener, Generation]] = []
        for number in range(MAX_GENERATIONS + 1):
            for through, url, paths in ((ours, "", stack.paths), (theirs, elsewhere, node.paths)):
                listener = await Listener.open(stack, f"keeper-{number}-{bool(url)}", "room:generations", url)
                leaving.push_async_callback(listener.leave)
                through.append((listener, newest(paths)))
            await asyncio.to_thread(stack.redeploy, "api")
        shown = await asyncio.to_thread(stack.run, "status")
        assert " old, kept for their sockets" in shown.stdout

        for through, url, paths in ((ours, "", stack.paths), (theirs, elsewhere, node.paths)):
            (first, oldest), (last, _) = through[0], through[-1]
            await eventually(lambda first=first: first.task.done(), EMPTY_LIMIT_S)
            assert first.socket.close_code == 3001
            # Without sockets it ends.
            await eventually(lambda paths=paths, oldest=oldest: oldest not in living(directory(paths)), LIMIT_S)
            assert not last.task.done()
            again = await Listener.open(stack, "keeper-again", "room:generations", url)
            leaving.push_async_callback(again.leave)
    await back_on_one_node(stack)


async def has_haproxy(stack: RunningStack, node: JoinedNode) -> None:
    """Serve runs a HAProxy where a replica is, and decides where the next one goes: deploy until it is there."""
    for _ in range(PLACEMENTS):
        await asyncio.to_thread(stack.redeploy, "api")
        with contextlib.suppress(NeverHappened):
            # Not patient: what is waited for may not come, and then the next deployment is the way.
            await eventually(lambda: answers(node.http_port), PLACED_S / PATIENCE)
            return
    await eventually(lambda: answers(node.http_port), LIMIT_S)


def newest(paths: Paths) -> Generation:
    return living(directory(paths))[-1]
