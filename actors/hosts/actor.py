"""The process that hosts shards."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

import msgspec
import ray
import structlog

from actors.hosts.contract import HostedShard, HostReport, NotActive, UnknownShard
from actors.hosts.kinds import KINDS, placement
from actors.hosts.line import Line
from actors.hosts.pair import Claim, Other, Pair
from actors.hosts.slot import READY_WAIT_S, Slot
from actors.links import incarnations
from cluster.settings import Settings

DEPOSED_EXIT: Final = 70
"""Exit status of a process that another one has replaced; Ray starts it again, as the new standby."""

Card = tuple[str, int, int]
"""(kind, shard, how many of the kind)."""

logger = structlog.get_logger(__name__)


class ShardHost:
    """Host the shards that placement gives to this process, and pass calls on to them.

    Two per `SHARD_HOSTS` with `SHARD_STANDBY`, named by `cluster.names.shard_host`: one is active, the other stands by
    with everything imported (`actors.hosts.pair`). It knows nothing of what its shards do.

    State:
        Hard: none. Soft: the shards, each with state of its own (see their docstrings); which side is active.
    Concurrency:
        Async, one event loop for all shards of the host. Calls interleave at every `await` and are not run in the
        order of submission; shards that need order number their calls.
    Failure:
        At most once (`max_task_retries=0`). An error or a missed deadline leaves open whether the call was executed.
        One shard that cannot start does not keep the others from working: it is tried again with backoff. A process
        whose lease is over answers `NotActive`; one that was replaced ends itself.
    Restart:
        Ray starts the process again (`max_restarts=-1`) and re-runs the constructor; it then stands by if the other one
        is active. Whoever becomes active makes every shard anew, as an incarnation that says so to its clients.
    """

    def __init__(
        self,
        index: int,
        settings: Settings,
        *,
        side: int = 0,
        node: str = "",
        address: str = "",
        other: Other | None = None,
        exit_process: Callable[[int], None] = os._exit,
    ) -> None:
        """`address`: this node's, on which the other process of the pair may hold a line to this one."""
        self.index = index
        self.side = side
        self.incarnation = incarnations.mint()
        self._settings = settings
        self._exit = exit_process
        self._address = address
        self._line = Line(self.incarnation)
        self._slots: dict[tuple[str, int], Slot] = {}
        self.pair = Pair(
            Claim(side, active=False, term=0, pid=os.getpid(), node=node),
            other,
            activate=self._activate,
            step_down=self._step_down,
            shards=lambda: [slot.card for slot in self._slots.values()],
            line=lambda: self._line.address,
        )

    async def start(self) -> None:
        """Import what this host hosts, and become active or stand by; does not wait for shards."""
        for kind, _, _ in placement(self.index, self._settings):
            self._load(kind)
        if self._address:
            await self._line.open(self._address)
        await self.pair.start()

    async def stop(self) -> None:
        """Stop every shard."""
        await self.pair.stop()
        await self._line.close()
        await asyncio.gather(*(slot.stop() for slot in self._slots.values()))

    @ray.method
    async def call(self, kind: str, shard: int, method: str, payload: bytes) -> bytes:
        """Call one method of one shard. Raises NotActive, ShardNotReady, UnknownShard, or what the method raises."""
        if not self.pair.may_answer():
            await self._wait_active()
        slot = self._slots.get((kind, shard))
        if slot is None:
            raise UnknownShard(f"host {self.index} has no {kind}/{shard}")
        answer = await slot.call(method, payload)
        if not self.pair.may_answer():
            # Stopped in between: what it did is not acknowledged any more.
            raise NotActive(f"host {self.index}")
        return answer

    @ray.method
    async def open(self, kind: str, shard: int, shards: int) -> None:
        """Host one more shard than the settings say. Doing it twice is harmless."""
        if not self.pair.may_answer():
            await self._wait_active()
        if (kind, shard) not in self._slots:
            self._open((kind, shard, shards))

    @ray.method
    async def close(self, kind: str, shard: int) -> None:
        """Stop hosting a shard that owns nothing any more."""
        slot = self._slots.pop((kind, shard), None)
        if slot is not None:
            await slot.stop()

    @ray.method
    async def report(self) -> bytes:
        """Who is here and which shards answer (`HostReport`)."""
        ready = {slot.name: slot.ready for slot in self._slots.values()}
        claim = self.pair.claim
        return msgspec.msgpack.encode(
            HostReport(
                self.incarnation,
                claim.pid,
                self.side,
                claim.active,
                ready,
                node=claim.node,
                lease_s=self.pair.lease_left(),
            )
        )

    @ray.method
    async def look(self) -> bytes:
        """What this side of the pair says of itself (`pair.Claim`)."""
        return msgspec.msgpack.encode(self.pair.claim)

    @ray.method
    async def give_leave(self, claim: bytes) -> bytes:
        """The other side asks for leave to go on (`pair.Claim` → `pair.Claim`)."""
        return msgspec.msgpack.encode(self.pair.give_leave(msgspec.msgpack.decode(claim, type=Claim)))

    async def _wait_active(self) -> None:
        # One whose lease is over may get leave again in a moment, a standby may be about to take over.
        if not await self.pair.wait_active(READY_WAIT_S):
            raise NotActive(f"host {self.index}")

    async def _activate(self, known: list[Card]) -> None:
        """Begin to start every shard: those of the settings, and those that the last active process hosted."""
        cards = {(kind, shard): (kind, shard, shards) for kind, shard, shards in known}
        cards |= {(kind, shard): (kind, shard, n) for kind, shard, n in placement(self.index, self._settings)}
        for card in cards.values():
            self._open(card)
        logger.info("shard host active", host=self.index, pid=os.getpid(), shards=len(self._slots))

    def _open(self, card: Card) -> None:
        kind, shard, shards = card
        create = self._load(kind)
        if create is None:
            return
        slot = Slot(card, lambda: create(shard, shards, self._settings))
        self._slots[kind, shard] = slot
        slot.start()

    def _load(self, kind: str) -> type[HostedShard] | None:
        try:
            return KINDS[kind].load()
        except ImportError:
            logger.exception("kind of shard cannot be imported", kind=kind)
            return None

    def _step_down(self) -> None:
        """Everything in this process belongs to the past: a new process is the cheapest way to forget it all."""
        logger.warning("ending this process: the other one of its pair is active", host=self.index)
        sys.stdout.flush()
        self._exit(DEPOSED_EXIT)
