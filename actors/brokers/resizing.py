"""Adding and removing broker shards while they work: which buckets move, and moving them.

The rows of the database are the only state: a run that was cut off is finished by running it again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from actors.brokers.carrying import Move
from actors.links.shards import ShardCall
from actors.links.stream import LEASE_S
from cluster.names import BUCKETS

GROUP: Final = 32
"""Buckets per move: they are frozen together, for some tens of milliseconds."""

MOVE_S: Final = 15.0
READ_S: Final = 5.0
FOLLOWED_S: Final = 2 * LEASE_S
"""How long a shard that gave everything away stays for those who have not read where it went. Beyond it they find out
from the rows."""

LOOK_S: Final = 0.1
TRIES: Final = 20
PAUSE_S: Final = 0.5

Open = Callable[[int, int], Awaitable[None]]
Close = Callable[[int], Awaitable[None]]
Say = Callable[[str], None]


class ResizeFailed(Exception):
    """A move did not come about in several tries. What was moved stays moved; running again goes on."""


def plan(owners: Mapping[int, int], shards: int) -> list[tuple[int, int, list[int]]]:
    """(from, to, buckets) that leave every shard below `shards` with its even share, and the others with none.

    Nothing moves that need not.
    """
    share = {shard: BUCKETS // shards + (shard < BUCKETS % shards) for shard in range(shards)}
    have = Counter(owners.values())
    free: list[tuple[int, int]] = []
    for bucket in range(BUCKETS):
        owner = owners.get(bucket, 0)
        if have[owner] > share.get(owner, 0):
            have[owner] -= 1
            free.append((bucket, owner))
    moves: dict[tuple[int, int], list[int]] = {}
    for shard in range(shards):
        while have[shard] < share[shard] and free:
            bucket, owner = free.pop(0)
            moves.setdefault((owner, shard), []).append(bucket)
            have[shard] += 1
    return [
        (owner, shard, buckets[start : start + GROUP])
        for (owner, shard), buckets in moves.items()
        for start in range(0, len(buckets), GROUP)
    ]


async def owners_of(call: ShardCall) -> dict[int, int]:
    """Bucket → shard, according to the database. Shard 0 always exists."""
    return msgspec.msgpack.decode(await call(0, "owners", b"", READ_S), type=dict[int, int])


async def nothing_else() -> set[int]:
    """Nobody says what else is hosted."""
    return set()


async def resize(
    shards: int,
    *,
    call: ShardCall,
    open_shard: Open,
    close_shard: Close,
    say: Say,
    hosted: Callable[[], Awaitable[set[int]]] = nothing_else,
) -> None:
    """Spread all buckets over `shards` shards. Raises ResizeFailed.

    `hosted`: the shards that run. A run that was cut off may have left some behind that have nothing any more.
    """
    for shard in range(shards):
        # Nothing is dealt to it by its number: it has what is moved to it.
        await open_shard(shard, 0)
    owners = await owners_of(call)
    moves = plan(owners, shards)
    say(f"{sum(len(buckets) for _, _, buckets in moves)} of {BUCKETS} buckets move")
    for done, (owner, shard, buckets) in enumerate(moves, 1):
        await _move(call, owner, shard, buckets)
        say(f"{done}/{len(moves)}: {len(buckets)} buckets from shard {owner} to shard {shard}")
    for shard in sorted(owner for owner in {*owners.values(), *await hosted()} if owner >= shards):
        # What it has told nobody yet ends with it, and whoever did not read it would go on asking a shard that is gone.
        await _followed(call, shard)
        await close_shard(shard)
        say(f"shard {shard} has ended")


async def _move(call: ShardCall, owner: int, shard: int, buckets: list[int]) -> None:
    reason = ""
    for _ in range(TRIES):
        try:
            await call(owner, "move", msgspec.msgpack.encode(Move(buckets, shard)), MOVE_S)
            owners = await owners_of(call)
            buckets = [bucket for bucket in buckets if owners.get(bucket) != shard]
            if not buckets:
                return
            reason = "the buckets are still there"
        except Exception as failure:
            reason = repr(failure)
        await asyncio.sleep(PAUSE_S)
    raise ResizeFailed(f"{len(buckets)} buckets do not move from shard {owner} to shard {shard}: {reason}")


async def _followed(call: ShardCall, shard: int) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + FOLLOWED_S
    while loop.time() < until:
        if await _has_been_followed(call, shard):
            return
        await asyncio.sleep(LOOK_S)


async def _has_been_followed(call: ShardCall, shard: int) -> bool:
    try:
        return msgspec.msgpack.decode(await call(shard, "followed", b"", READ_S), type=bool)
    except Exception:
        # It may be starting anew: then its processes register, and are told again.
        return False


def table(owners: Mapping[int, int]) -> str:
    """How many buckets each shard has."""
    counts = sorted(Counter(owners.values()).items())
    return "\n".join(f"shard {shard}: {count} of {BUCKETS} buckets" for shard, count in counts)
