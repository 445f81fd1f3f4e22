"""All processes of all hosts as they are now, for operators: which answers, for which shards, for how long."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from actors.hosts.contract import HostReport

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HostProcess:
    """One process of a host; `report` is None when it does not answer."""

    host: int
    side: int
    report: HostReport | None


async def survey(hosts: int, sides: int, report: Callable[[int, int], Awaitable[HostReport]]) -> Sequence[HostProcess]:
    """Ask all of them at once; `report(host, side)` has a deadline of its own and raises whatever is the matter."""

    async def one(host: int, side: int) -> HostProcess:
        try:
            return HostProcess(host, side, await report(host, side))
        except Exception as reason:
            logger.warning("shard host does not answer", host=host, side=side, reason=repr(reason))
            return HostProcess(host, side, None)

    return await asyncio.gather(*(one(host, side) for host in range(hosts) for side in range(sides)))
