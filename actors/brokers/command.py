"""`./mobula shards [N]`: how the buckets are spread, or spread them over N broker shards while everything works."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

import ray

from actors.brokers import handle, resizing
from actors.hosts import handle as hosts
from actors.hosts.contract import HostReport
from cluster.deploy import DeployError, connect
from cluster.services.errors import ServiceError
from cluster.settings import Settings, get_settings
from cluster.stack import external
from cluster.stack.budget import BudgetExceeded, budget, require_within

SHARDS_MOST: Final = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="mobula shards", description=__doc__)
    parser.add_argument("shards", nargs="?", type=int, help="how many; without it the command only shows them")
    wanted: int | None = parser.parse_args(arguments).shards
    if wanted is not None and not 1 <= wanted <= SHARDS_MOST:
        parser.error(f"between 1 and {SHARDS_MOST} shards")
    try:
        connect(get_settings())
        if wanted is not None:
            _require_connections(get_settings(), wanted, _nodes())
        asyncio.run(_run(wanted))
    except (DeployError, ServiceError, BudgetExceeded, resizing.ResizeFailed, TimeoutError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _require_connections(settings: Settings, wanted: int, nodes: int) -> None:
    """More shards open more connections, and beyond what the database allows it is anybody who goes without."""
    found = external.check_postgres(settings.asyncpg_dsn)
    if wanted <= found.broker_shards:
        return
    try:
        require_within(budget(settings, nodes=nodes, broker_shards=wanted), found.max_connections)
    except BudgetExceeded as problem:
        raise BudgetExceeded(f"{problem}, or have fewer than {wanted} broker shards") from None


def _nodes() -> int:
    alive: list[bool] = [node["Alive"] for node in ray.nodes()]  # type: ignore[no-untyped-call]  # Ray has no types here
    return max(1, sum(alive))


async def _run(wanted: int | None) -> None:
    if wanted is not None:
        await resizing.resize(wanted, call=handle.call, open_shard=_open, close_shard=_close, say=_say, hosted=_hosted)
    _say(resizing.table(await resizing.owners_of(handle.call)))


async def _open(shard: int, shards: int) -> None:
    await hosts.open_shard(handle.KIND, shard, shards)


async def _close(shard: int) -> None:
    await hosts.close_shard(handle.KIND, shard)


async def _hosted() -> set[int]:
    asked = (hosts.report(index) for index in range(get_settings().shard_hosts))
    reports = await asyncio.gather(*asked, return_exceptions=True)
    names = [name.split("/") for report in reports if isinstance(report, HostReport) for name in report.ready]
    return {int(shard) for kind, shard in names if kind == handle.KIND}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
