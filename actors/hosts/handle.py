"""How to reach the shard hosts: one place for Ray's options, names, cached handles and our own deadlines."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
import ray
from ray.actor import ActorProxy
from ray.exceptions import ActorDiedError

from actors.hosts.actor import HostReport, ShardHost
from actors.hosts.kinds import host_of
from cluster.names import RAY_NAMESPACE, shard_host
from cluster.settings import get_settings

MAX_CONCURRENCY: Final = 10_000
"""Every client keeps a long poll and a submit open per shard."""

REPORT_DEADLINE_S: Final = 3.0


class ShardHostProcess(ShardHost):
    """The host as Ray creates it: started by its constructor, because a restart runs nothing else.

    State, Concurrency, Failure, Restart: see `ShardHost`.
    """

    async def __init__(self, index: int) -> None:  # type: ignore[misc]  # Ray awaits an actor's constructor
        super().__init__(index, get_settings())
        await self.start()


_handles: dict[int, ActorProxy[ShardHost]] = {}
_lookups: dict[int, asyncio.Task[ActorProxy[ShardHost]]] = {}


def ensure(index: int) -> ActorProxy[ShardHost]:
    """The host's handle; creates the actor when there is none. Blocks while it asks the cluster."""
    actor: Any = ray.remote(ShardHostProcess).options(
        name=shard_host(index),
        namespace=RAY_NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=MAX_CONCURRENCY,
        enable_task_events=False,
    )
    handle: ActorProxy[ShardHost] = actor.remote(index)
    _handles[index] = handle
    return handle


async def get_host(index: int) -> ActorProxy[ShardHost]:
    """The host's handle, looked up once per process: a lookup needs the GCS, a call does not (DESIGN §5, 22)."""
    handle = _handles.get(index)
    if handle is not None:
        return handle
    lookup = _lookups.get(index)
    if lookup is None:
        lookup = asyncio.create_task(asyncio.to_thread(_look_up, index))
        _lookups[index] = lookup
        lookup.add_done_callback(lambda _: _lookups.pop(index, None))
    handle = await asyncio.shield(lookup)
    _handles[index] = handle
    return handle


def _look_up(index: int) -> ActorProxy[ShardHost]:
    handle: ActorProxy[ShardHost] = ray.get_actor(shard_host(index), namespace=RAY_NAMESPACE)
    return handle


async def call(kind: str, shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a shard. Raises TimeoutError at our own deadline: a stopped process neither answers nor fails (rule 2)."""
    return await _ask(
        host_of(kind, shard, get_settings()), lambda host: host.call.remote(kind, shard, method, payload), timeout_s
    )


async def report(index: int) -> HostReport:
    """What host `index` says about itself. Raises TimeoutError, or Ray's error when it is not there."""
    answer = await _ask(index, lambda host: host.report.remote(), REPORT_DEADLINE_S)
    return msgspec.msgpack.decode(answer, type=HostReport)


async def _ask(
    index: int, call_host: Callable[[ActorProxy[ShardHost]], "ray.ObjectRef[bytes]"], timeout_s: float
) -> bytes:
    async with asyncio.timeout(timeout_s):
        host = await get_host(index)
        try:
            return await call_host(host)
        except ActorDiedError:
            # Ray will not bring this actor back; whoever ensures hosts makes another under the same name.
            if _handles.get(index) is host:
                del _handles[index]
            raise


def kill(index: int) -> None:
    """End a host that does not answer; Ray starts it again. Blocks while it asks the cluster."""
    handle: Any = ray.get_actor(shard_host(index), namespace=RAY_NAMESPACE)
    ray.kill(handle, no_restart=False)
