"""How to reach the shard hosts: one place for Ray's options, names, cached handles and our own deadlines."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import ray
from ray.actor import ActorProxy
from ray.exceptions import ActorUnavailableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.hosts.actor import Card, ShardHost
from actors.hosts.contract import HostReport, NotActive
from actors.hosts.kinds import host_of
from actors.hosts.peer import GONE, RayPeer
from actors.metrics.pusher import MetricsPusher
from cluster import garbage, telemetry
from cluster.names import RAY_NAMESPACE, shard_host
from cluster.settings import get_settings

T = TypeVar("T")

MAX_CONCURRENCY: Final = 10_000
"""Every client keeps a long poll and a submit open per shard."""

REPORT_DEADLINE_S: Final = 3.0
OPEN_DEADLINE_S: Final = 5.0


class ShardHostProcess(ShardHost):
    """The host as Ray creates it: started by its constructor, because a restart runs nothing else.

    State, Concurrency, Failure, Restart: see `ShardHost`.
    """

    async def __init__(self, index: int, side: int) -> None:  # type: ignore[misc]  # Ray awaits an actor's constructor
        settings = get_settings()
        telemetry.start(settings, process="host")
        node = ray.get_runtime_context().get_node_id()
        other = None
        if settings.shard_standby:
            place = (index, 1 - side)
            other = RayPeer(node, partial(get_host, *place), kill=partial(kill, *place), forget=partial(forget, *place))
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray has no types here
        super().__init__(index, settings, side=side, node=node, address=address, other=other)
        self._pusher = MetricsPusher(self.incarnation, partial(call, "metrics", 0))
        await self.start()
        garbage.settle()

    async def _activate(self, known: list[Card]) -> None:
        await super()._activate(known)
        self._pusher.start()


_handles: dict[tuple[int, int], ActorProxy[ShardHost]] = {}
_lookups: dict[tuple[int, int], asyncio.Task[ActorProxy[ShardHost]]] = {}
_active: dict[int, int] = {}
"""Host → the side that answered last. A guess: a wrong one is answered by an error, and the other side is asked."""


def sides() -> int:
    """How many processes each host has."""
    return 2 if get_settings().shard_standby else 1


def ensure(index: int, side: int = 0, node: str = "") -> ActorProxy[ShardHost]:
    """The handle of one process of a host; creates the actor when there is none. Blocks while it asks the cluster.

    `node`: the only place where it may run. When that node is lost the actor is dead for good, and created elsewhere.
    """
    actor: Any = ray.remote(ShardHostProcess).options(
        name=shard_host(index, side),
        namespace=RAY_NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=MAX_CONCURRENCY,
        enable_task_events=False,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False) if node else "DEFAULT",
    )
    handle: ActorProxy[ShardHost] = actor.remote(index, side)
    _handles[index, side] = handle
    return handle


async def get_host(index: int, side: int = 0) -> ActorProxy[ShardHost]:
    """The handle of one process, looked up once: a lookup needs the GCS, a call does not (DESIGN §5, 22).

    Raises ValueError when there is no such actor.
    """
    key = (index, side)
    handle = _handles.get(key)
    if handle is not None:
        return handle
    lookup = _lookups.get(key)
    if lookup is None:
        lookup = asyncio.create_task(asyncio.to_thread(_look_up, index, side))
        _lookups[key] = lookup
        lookup.add_done_callback(lambda _: _lookups.pop(key, None))
    handle = await asyncio.shield(lookup)
    _handles[key] = handle
    return handle


def forget(index: int, side: int, host: ActorProxy[ShardHost]) -> None:
    """Ray will not bring this actor back; whoever ensures hosts makes another under the same name."""
    if _handles.get((index, side)) is host:
        del _handles[index, side]


def _look_up(index: int, side: int) -> ActorProxy[ShardHost]:
    handle: ActorProxy[ShardHost] = ray.get_actor(shard_host(index, side), namespace=RAY_NAMESPACE)
    return handle


async def call(kind: str, shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a shard. Raises TimeoutError at our own deadline: a stopped process neither answers nor fails (rule 2)."""
    index = host_of(kind, shard, get_settings())
    return await _ask_active(index, lambda host: host.call.remote(kind, shard, method, payload), timeout_s)


async def open_shard(kind: str, shard: int, shards: int) -> None:
    """Host one more shard of a kind. Doing it twice is harmless."""
    index = host_of(kind, shard, get_settings())
    await _ask_active(index, lambda host: host.open.remote(kind, shard, shards), OPEN_DEADLINE_S)


async def close_shard(kind: str, shard: int) -> None:
    """Stop hosting a shard that owns nothing any more."""
    index = host_of(kind, shard, get_settings())
    await _ask_active(index, lambda host: host.close.remote(kind, shard), OPEN_DEADLINE_S)


async def report(index: int, side: int | None = None) -> HostReport:
    """What a host says about itself: its active process, or the one named. Raises TimeoutError, or Ray's error."""

    def ask(host: ActorProxy[ShardHost]) -> "ray.ObjectRef[bytes]":
        return host.report.remote()

    if side is not None:
        async with asyncio.timeout(REPORT_DEADLINE_S):
            return _report(await _ask(index, side, ask))
    found = await asyncio.gather(*(report(index, each) for each in range(sides())), return_exceptions=True)
    active = [each for each in found if isinstance(each, HostReport) and each.active]
    failures = [each for each in found if isinstance(each, Exception)]
    if active:
        return active[0]
    raise failures[0] if failures else NotActive(f"no process of host {index} is active")


async def _ask_active(
    index: int, call_host: Callable[[ActorProxy[ShardHost]], "ray.ObjectRef[T]"], timeout_s: float
) -> T:
    """Ask the side that answered last, and the other one when that is gone or not active."""
    side = _active.get(index, 0)
    try:
        async with asyncio.timeout(timeout_s):
            for last in range(sides()):
                try:
                    answer = await _ask(index, side, call_host)
                except (NotActive, *GONE, ActorUnavailableError, ValueError):
                    side = _turn(index, side)
                    if last == sides() - 1:
                        raise
                else:
                    return answer
    except TimeoutError:
        _turn(index, side)
        raise
    raise NotActive(f"host {index}")


def _turn(index: int, side: int) -> int:
    """Ask the other side from now on, unless somebody else has found that out already."""
    if _active.get(index, 0) == side:
        _active[index] = (side + 1) % sides()
    return _active[index]


async def _ask(index: int, side: int, call_host: Callable[[ActorProxy[ShardHost]], "ray.ObjectRef[T]"]) -> T:
    host = await get_host(index, side)
    try:
        return await call_host(host)
    except GONE:
        forget(index, side, host)
        raise


def _report(answer: bytes) -> HostReport:
    return msgspec.msgpack.decode(answer, type=HostReport)


def kill(index: int, side: int = 0, *, for_good: bool = False) -> None:
    """End a process; Ray starts it again in the same place, unless `for_good`. Blocks while it asks the cluster."""
    handle: Any = ray.get_actor(shard_host(index, side), namespace=RAY_NAMESPACE)
    ray.kill(handle, no_restart=for_good)
