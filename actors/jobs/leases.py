"""Who holds what, who is alive, and what must be rescued: the owner's memory, without a clock or a database of its own.

Times are the owner's monotonic seconds. A lease is rescued for one of three reasons, each an observation and never a
guess from the wall clock (DESIGN §5, 15 and 16): its agent reports without it for two beats; its agent was replaced by
a new process on the same node; or nobody has reported it for a lease period of unbroken contact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from actors.jobs.contract import BEAT_S, LeasedJob, Token
from actors.jobs.policy import Attempt
from actors.jobs.turns import Room
from db.jobs.store import ClaimedRow

_Name = TypeVar("_Name")

LEASE_S: Final = 8.0
"""A silent agent's jobs are rescued after this: four beats, so one lost call costs nothing; within the 10 s that a
killed node's jobs may wait."""

MISSED_BEATS: Final = 2
STALL_S: Final = 3.0
"""A tick this late means that the owner itself stood still: what it did not hear then proves nothing."""

SILENT_S: Final = MISSED_BEATS * BEAT_S + 1.0
"""An agent that has not been heard for this long is given nothing: it may stand still, with a poll left behind."""

FORGET_AGENT_S: Final = 60.0

KEPT_OF: Final = 8
"""One in so many of a queue's places on a node is kept for keys of which nothing runs: whoever comes beside a tenant
with thousands of jobs, however long these take, need not wait for one of them to end. The first to come, that is, as
far as the kept places go, and where no policy lets fewer run than there are places."""

UNKNOWN: Final = "its agent does not know it"


@dataclass(slots=True)
class Lease(Attempt):
    """One running job as the owner knows it."""

    kind: str
    queue: str
    seen_at: float
    agent: UUID | None = None
    """Boot id of the agent that has it; None after a change of owner, until somebody reports it."""
    node: str = ""
    delivered: bool = False
    """The reply that carries it was sent."""
    reported: bool = False
    """Its agent has named it: the reply has arrived."""
    missed: int = 0
    cancelled: bool = False
    ending: bool = False
    """Its outcome is being written: no rescue."""
    key: str | None = None
    granted_at: float | None = None
    """None: a former owner gave it."""

    @property
    def token(self) -> Token:
        """What the agent must name to be believed."""
        return Token(self.id, self.owner, self.number)


@dataclass(slots=True)
class Agent:
    """One agent process."""

    boot: UUID
    node: str
    seen_at: float
    born_at: float
    """When it was first heard: a late call of a process that was replaced does not make it the newer one."""
    capacity: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    """Leases by queue."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """A lease to give back, and why."""

    lease: Lease
    reason: str

    @property
    def agent_ended(self) -> bool:
        """Whether its agent is gone, and not the job alone."""
        return self.reason != UNKNOWN


class LeaseBook:
    """All leases and agents of one owner."""

    def __init__(self, now: float) -> None:
        self.leases: dict[UUID, Lease] = {}
        self.agents: dict[UUID, Agent] = {}
        self._of_queue: Counter[str] = Counter()
        self._of_key: Counter[tuple[str, str | None]] = Counter()
        self._contact_since = now
        self._ticked_at = now

    def break_contact(self, now: float) -> None:
        """The owner could not see for a while: every lease gets a full period again."""
        self._contact_since = now

    def heard(self, boot: UUID, node: str, now: float) -> Agent:
        """An agent called. A new process on a node ends the belief in the former one."""
        agent = self.agents.get(boot)
        if agent is None:
            if not any(now - other.seen_at <= LEASE_S for other in self.agents.values()):
                # Nobody could be heard until now: silence so far says nothing about anybody.
                self.break_contact(now)
            agent = self.agents[boot] = Agent(boot, node, now, now)
            for lease in self.leases.values():
                if lease.agent == boot:  # known from before a change of owner
                    agent.held[lease.queue] = agent.held.get(lease.queue, 0) + 1
        agent.seen_at = now
        return agent

    def grant(self, lease: Lease, agent: Agent) -> None:
        """A claimed job goes to an agent."""
        self.drop(lease.id)  # should memory have been wrong about the former lease, its slot must not stay taken
        lease.agent, lease.node = agent.boot, agent.node
        self._add(lease)
        agent.held[lease.queue] = agent.held.get(lease.queue, 0) + 1

    def adopt(self, leases: Iterable[Lease]) -> None:
        """Leases that a former owner granted, as the table has them."""
        for lease in leases:
            self.drop(lease.id)
            self._add(lease)

    def drop(self, job_id: UUID) -> None:
        """The lease is over."""
        lease = self.leases.pop(job_id, None)
        if lease is None:
            return
        _take_one(self._of_queue, lease.queue)
        _take_one(self._of_key, (lease.queue, lease.key))
        agent = self.agents.get(lease.agent) if lease.agent is not None else None
        if agent is not None:
            agent.held[lease.queue] = max(0, agent.held.get(lease.queue, 0) - 1)

    def running(self, queue: str) -> int:
        """How many leases there are of jobs of a queue, whoever has them."""
        return self._of_queue[queue]

    def running_of(self, queue: str, key: str | None) -> int:
        """How many of one key."""
        return self._of_key[queue, key]

    def find(self, token: Token) -> Lease | None:
        """The lease that a token names, while it counts."""
        lease = self.leases.get(token.id)
        return lease if lease is not None and lease.token == token else None

    def report(self, agent: Agent, live: Sequence[Token], now: float) -> list[Token]:
        """An agent says all it holds. Returns what is not its own any more."""
        named = set()
        lost = []
        for token in live:
            lease = self.find(token)
            if lease is None:
                lost.append(token)
                continue
            named.add(lease.id)
            lease.seen_at, lease.missed, lease.delivered, lease.reported = now, 0, True, True
            if lease.agent != agent.boot:
                former = self.agents.get(lease.agent) if lease.agent is not None else None
                if former is not None:
                    former.held[lease.queue] = max(0, former.held.get(lease.queue, 0) - 1)
                lease.agent, lease.node = agent.boot, agent.node
                agent.held[lease.queue] = agent.held.get(lease.queue, 0) + 1
        for lease in self.leases.values():
            if lease.agent == agent.boot and lease.delivered and lease.id not in named:
                lease.missed += 1
        return lost

    def room(self, agent: Agent, may_start: Mapping[str, int], limit: int) -> dict[str, Room]:
        """How many of the jobs that may start in each queue the agent can take now.

        `limit` in all, and one of each queue before many of any.
        """
        places = {queue: agent.capacity.get(queue, agent.capacity.get("*", 0)) for queue in may_start}
        free = {queue: places[queue] - agent.held.get(queue, 0) for queue in may_start}
        most = {queue: min(count, free[queue]) for queue, count in may_start.items()}
        room = dict.fromkeys([queue for queue, count in most.items() if count > 0][:limit], 1)
        left = limit - len(room)
        for queue in room:
            more = min(most[queue] - 1, left)
            room[queue] += more
            left -= more
        return {
            queue: Room(count, min(count, max(0, places[queue] // KEPT_OF - (free[queue] - count))))
            for queue, count in room.items()
        }

    def is_replaced(self, agent: Agent) -> bool:
        """Whether a later process of its node was heard. A poll of it may still wait here: what it is given is lost."""
        return self._newest()[agent.node] is not agent

    def is_silent(self, boot: UUID, now: float) -> bool:
        """Whether a known agent has missed its beats."""
        agent = self.agents.get(boot)
        return agent is not None and now - agent.seen_at > SILENT_S

    def overdue(self, now: float) -> list[Rescue]:
        """What must be rescued; to be asked about once a second."""
        if now - self._ticked_at > STALL_S:
            self.break_contact(now)
            for agent in self.agents.values():
                agent.seen_at = max(agent.seen_at, now - BEAT_S)
        self._ticked_at = now
        newest = self._newest()
        found = [
            Rescue(lease, reason)
            for lease in self.leases.values()
            if not lease.ending and (reason := self._reason(lease, newest, now))
        ]
        for boot in [b for b, agent in self.agents.items() if now - agent.seen_at > FORGET_AGENT_S]:
            del self.agents[boot]
        return found

    def _add(self, lease: Lease) -> None:
        self.leases[lease.id] = lease
        self._of_queue[lease.queue] += 1
        self._of_key[lease.queue, lease.key] += 1

    def _newest(self) -> dict[str, Agent]:
        newest: dict[str, Agent] = {}
        for agent in self.agents.values():
            if agent.node not in newest or agent.born_at >= newest[agent.node].born_at:
                newest[agent.node] = agent
        return newest

    def _reason(self, lease: Lease, newest: dict[str, Agent], now: float) -> str:
        holder = self.agents.get(lease.agent) if lease.agent is not None else None
        successor = newest.get(lease.node)
        if holder is not None and successor is not None and successor is not holder:
            return "the agent that ran it was replaced"
        if now - self._contact_since < LEASE_S:
            return ""
        if lease.missed >= MISSED_BEATS:
            return UNKNOWN
        if now - max(lease.seen_at, self._contact_since) >= LEASE_S and (
            holder is None or now - holder.seen_at >= LEASE_S
        ):
            return "its node has fallen silent"
        return ""


def leased_job(row: ClaimedRow, lease: Lease) -> LeasedJob:
    """What the agent is given with a lease."""
    return LeasedJob(
        id=row.id,
        owner=lease.owner,
        number=row.number,
        queue=row.queue,
        kind=row.kind,
        args=row.args,
        attempt=row.attempt,
        max_attempts=lease.max_attempts,
        user_id=row.user_id,
        org_id=row.org_id,
        created_at=row.created_at,
        checkpoint=row.checkpoint,
        traceparent=row.traceparent,
    )


def _take_one(counts: Counter[_Name], name: _Name) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]
