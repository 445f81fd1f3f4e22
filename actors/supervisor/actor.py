"""The actor that brings back what dies."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

import ray
import structlog

LOOK_EVERY_S: Final = 1.0
SILENT_LIMIT: Final = 5
"""Looks (of up to 3 s each) that a host which has answered may stay silent before it is ended."""

STARTING_LIMIT: Final = 30
"""Looks that a host may take to answer for the first time after it was made, or made again. Two busy cores need half a
minute for what an idle machine does in three seconds, and ending a start only begins another one."""

MOVES_LIMIT: Final = 3
"""A node where no process starts (too little memory, say) is not tried for ever."""

logger = structlog.get_logger(__name__)


AGENT_SILENT_LIMIT: Final = 12
"""The same of a node's agent, which may stand still while a handler blocks it: its own watchdog, which knows which one,
ends it first (30 s)."""


class HostRestarting(Exception):
    """Ray is making the process anew: it is no process yet that could answer."""


class State(StrEnum):
    """How a host's process is."""

    READY = "ready"
    """It is active and all its shards answer."""
    STARTING = "starting"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a host's process answered."""

    state: State
    node: str
    """Where it runs."""


@dataclass(frozen=True, slots=True)
class World:
    """What the supervisor can do to the cluster. Ray in production, a fake in tests. Coroutines may take their time."""

    hosts: int
    sides: int
    """Processes per host: with a standby two."""
    ensure_host: Callable[[int, int, str], Awaitable[None]]
    """(host, side, node): on that node and no other; "": anywhere."""
    ask_host: Callable[[int, int], Awaitable[Seen]]
    """Raises when it did not answer: HostRestarting when Ray makes it anew."""
    kill_host: Callable[[int, int], Awaitable[None]]
    remove_host: Callable[[int, int], Awaitable[None]]
    """End it for good: `ensure_host` makes another."""
    nodes: Callable[[], Awaitable[Sequence[str]]]
    ensure_agent: Callable[[str], Awaitable[None]]
    ask_agent: Callable[[str], Awaitable[None]]
    """Raises as `ask_host` does."""
    kill_agent: Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class _Watch:
    silent: int = 0
    state: State | None = None
    node: str = ""
    """Where it ran when it last answered."""
    moves: int = 0
    """How often it was moved in vain."""
    refused_by: str = ""
    """The node where it did not start."""
    answered: bool = field(default=False)
    """Since its process was last made."""


class Supervisor:
    """Make sure that every shard host and every node's agent exists and answers, and no host's two processes share a
    node where there are two nodes.

    State:
        Hard: none. Soft: how often in a row each host and agent did not answer.
    Concurrency:
        Async. One look at a time; `ready` may be called by anybody at any time.
    Failure:
        A failed look is logged and repeated a second later. Everything it does is get-or-create, so doing it twice is
        harmless.
    Restart:
        Looks again. Hosts and agents are detached actors, which do not share the supervisor's fate.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._watches = {(index, side): _Watch() for index in range(world.hosts) for side in range(world.sides)}
        self._agents: dict[str, _Watch] = {}
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look, every second."""
        self._looking = asyncio.create_task(self._look_for_ever(), name="supervisor")

    @ray.method
    async def ready(self) -> list[str]:
        """What is not there yet; empty when everything answers."""
        ready = {index for (index, _), watch in self._watches.items() if watch.state is State.READY}
        missing = [f"shard host {index}" for index in range(self._world.hosts) if index not in ready]
        nodes = await self._world.nodes()
        ready_agents = {node for node, watch in self._agents.items() if watch.state is State.READY}
        return missing + [f"agent of node {node}" for node in nodes if node not in ready_agents]

    async def look(self) -> None:
        """One round over everything."""
        nodes = await self._world.nodes()
        hosts = (self._look_at_host(*process, nodes) for process in self._watches)
        await asyncio.gather(*hosts, self._look_at_agents(nodes))
        await self._part(nodes)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("look failed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_at_host(self, index: int, side: int, nodes: Sequence[str]) -> None:
        watch = self._watches[index, side]
        if side and not watch.answered and self._watches[index, 0].state is None:
            # Whoever comes first is active, and a cold start has enough to do without the standby.
            return

        async def ask() -> State:
            seen = await self._world.ask_host(index, side)
            watch.node = seen.node
            return seen.state

        place = self._place(index, side, nodes)
        # Of one that Ray is still to make the other has no leave, and of one that is removed it needs none. What says
        # that it is active has taken over after this one's lease: this one cannot be active.
        other = self._watches.get((index, 1 - side))
        taken_over = other is not None and other.state in (State.READY, State.STARTING)
        can_go = not watch.answered and (place or taken_over)
        await self._look_at(
            watch,
            f"shard host {index} side {side}",
            SILENT_LIMIT,
            partial(self._world.ensure_host, index, side, place),
            ask,
            partial(self._bring_back, index, side, place) if can_go else partial(self._world.kill_host, index, side),
        )

    async def _bring_back(self, index: int, side: int, place: str) -> None:
        """It does not start at this place. Killed it would be started there again, so it is made anew, elsewhere."""
        self._watches[index, side].refused_by = place
        await self._world.remove_host(index, side)

    async def _look_at_agents(self, nodes: Sequence[str]) -> None:
        self._agents = {node: self._agents.get(node) or _Watch() for node in nodes}
        await asyncio.gather(*(self._look_at_agent(node, watch) for node, watch in self._agents.items()))

    async def _look_at_agent(self, node: str, watch: _Watch) -> None:
        async def ask() -> State:
            await self._world.ask_agent(node)
            return State.READY

        await self._look_at(
            watch,
            f"agent of node {node}",
            AGENT_SILENT_LIMIT,
            partial(self._world.ensure_agent, node),
            ask,
            partial(self._world.kill_agent, node),
        )

    async def _look_at(
        self,
        watch: _Watch,
        name: str,
        silent_limit: int,
        ensure: Callable[[], Awaitable[None]],
        ask: Callable[[], Awaitable[State]],
        kill: Callable[[], Awaitable[None]],
    ) -> None:
        try:
            if not watch.answered or watch.silent:
                await ensure()
            watch.state = await ask()
            watch.answered = True
            watch.silent = 0
        except Exception as reason:
            watch.state = None
            if isinstance(reason, HostRestarting) and watch.answered:
                watch.answered, watch.silent = False, 0
            watch.silent += 1
            logger.warning("does not answer", part=name, times=watch.silent, reason=repr(reason))
            if watch.silent >= (silent_limit if watch.answered else STARTING_LIMIT):
                watch.answered, watch.silent = False, 1
                try:
                    await kill()
                except Exception as failure:
                    logger.warning("cannot be ended", part=name, reason=repr(failure))

    def _place(self, index: int, side: int, nodes: Sequence[str]) -> str:
        """A node without the other process of this host, the one with the fewest processes; "" where there is none.

        Where it did not start it is not put again at once, but rather beside the other one.
        """
        partner = self._watches.get((index, 1 - side))
        if partner is None or not partner.node:
            return ""
        hosted = Counter(watch.node for watch in self._watches.values())
        others = [node for node in nodes if node != partner.node]
        refused_by = self._watches[index, side].refused_by
        if refused_by in others:
            others = [node for node in others if node != refused_by] or [partner.node]
        return min(others, key=lambda node: (hosted[node], node), default="")

    async def _part(self, nodes: Sequence[str]) -> None:
        """Both processes of a host on one node would die together: the standby moves when there is another node."""
        for (index, side), watch in self._watches.items():
            partner = self._watches.get((index, 1 - side))
            if partner is None or watch.state is not State.STANDBY or partner.state is not State.READY:
                continue
            if watch.node == partner.node:
                watch.refused_by = ""  # it may have room by now
            place = self._place(index, side, nodes)
            if watch.node == partner.node and place and watch.moves < MOVES_LIMIT:
                logger.warning("standby moves to another node", host=index, side=side, node=place)
                watch.moves += 1
                watch.answered, watch.state = False, None
                await self._world.remove_host(index, side)
            elif watch.node != partner.node:
                watch.moves = 0
