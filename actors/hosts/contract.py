"""What a shard must offer to be hosted, and what a host answers when it cannot pass a call on."""

from typing import Protocol

import msgspec

from cluster.settings import Settings


class HostedShard(Protocol):
    """One shard as a plain object. Its other public coroutine methods take bytes and return bytes.

    The object is one incarnation: it mints its identity in `__init__` (DESIGN D11) and is never started twice.
    """

    def __init__(self, shard: int, shards: int, settings: Settings) -> None:
        """`shard` of `shards`; opens nothing yet."""

    async def start(self) -> None:
        """Open connections, take what must be taken. Raising makes the host try again with a new object."""

    async def stop(self) -> None:
        """Give everything back. Called once, also after a failed `start`."""


class ShardNotReady(Exception):
    """The shard has not started (yet). The caller backs off and tries again."""


class UnknownShard(Exception):
    """This host has no such shard or the shard no such method: a fault of the caller."""


class ShardDeposed(Exception):
    """Raised by a shard's method: another incarnation owns what this one owned, so a new object must take its place.

    Only a call makes the host replace it. A forgotten process that nobody calls therefore never takes anything back.
    """


class NotActive(Exception):
    """The other process of this host's pair answers, or will in a moment: the caller asks that one."""


class HostReport(msgspec.Struct, frozen=True):
    """What one process of a host says about itself."""

    incarnation: str
    pid: int
    side: int
    active: bool
    ready: dict[str, bool]
    """`kind/shard` → whether it answers. Empty in a standby."""
    node: str = ""
    lease_s: float | None = None
    """How much longer it answers calls without new leave; None: it stands by, or is alone and needs nobody's."""
