"""What a kind of job is, and what passes between the queue owner and the node agents.

Kinds and schedules are declared in the room above (`tasks.registry`) and found by import string
(`cluster.names.JOB_REGISTRY_IMPORT_PATH`); handlers are import strings too, so that the queue owner loads none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from uuid import UUID

import msgspec

from cluster.settings import Settings

if TYPE_CHECKING:  # whoever only starts agents has no use for a database library (20 MB)
    from db.session import Database

Mode = Literal["inline", "task"]

DEFAULT_MAX_ATTEMPTS = 5

BEAT_S: Final = 2.0
"""How often an agent reports."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    `inline` runs as a coroutine in the node agent, beside others: it must not block. `task` runs in a Ray worker of its
    own, bounded by `memory_mb`. `kept` False: successes are too frequent to be worth a row of history, or a line of the
    log at INFO; `logged` False: of the log alone.
    """

    name: str
    handler: str
    mode: Mode = "inline"
    timeout_s: float = 60.0
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    backoff_s: float = 2.0
    backoff_limit_s: float = 600.0
    memory_mb: int = 1024
    kept: bool = True
    logged: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that is enqueued by the clock (UTC): by a cron expression, or every so many seconds.

    Firings that nobody was there for are made up once: the latest.
    """

    name: str
    kind: str
    cron: str = ""
    every_s: int = 0
    args: Mapping[str, Any] = field(default_factory=dict)
    queue: str = "maintenance"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many starts per `per_s` seconds, evenly spread; after a pause `burst` of them at once."""

    starts: int
    per_s: float = 60.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """What holds for a queue in the whole cluster; None: no bound.

    `limit` and `limit_per_key`: how many run at once. `rate` and `rate_per_key`: how many start; every attempt counts,
    and after a change of owner one burst may come on top. Jobs without a key count as one key of their own. With or
    without a policy the keys of a queue take turns, and within a key jobs go by priority, time and age.
    """

    limit: int | None = None
    limit_per_key: int | None = None
    rate: Rate | None = None
    rate_per_key: Rate | None = None


class InvalidPolicy(ValueError):
    """A queue's policy cannot be kept; the message names the queue."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that can run here, and the policies of queues, which settings may bound."""

    kinds: Mapping[str, Kind]
    schedules: Sequence[Schedule] = ()
    policies: Callable[[Settings], Mapping[str, QueuePolicy]] = field(default=lambda _: {})


class LeasedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job and the lease under which it may be worked on."""

    id: UUID
    owner: UUID
    number: int
    queue: str
    kind: str
    args: dict[str, Any]
    attempt: int
    max_attempts: int
    user_id: UUID | None
    org_id: UUID | None
    created_at: datetime
    checkpoint: dict[str, Any] | None = None
    traceparent: str = ""
    """The trace of the transaction that enqueued it (`cluster.tracing`); '' when that did not trace."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """Which lease of which job."""

    id: UUID
    owner: UUID
    number: int


OutcomeState = Literal[
    "succeeded", "failed", "refused", "cancelled", "died", "orphaned", "unavailable", "snoozed", "returned"
]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended.

    failed: try again later. refused: trying again is useless. died: the process that ran it is gone. orphaned:
    the agent that watched it is gone, and it is probably not the cause; not counted, a few times. unavailable: what it
    needs is away for now; not counted, for hours. snoozed: the handler asked to be called again after `retry_in_s`; not
    counted. returned: it never started; not counted.
    """

    token: Token
    state: OutcomeState
    result: Any = None
    error: str = ""
    retry_in_s: float | None = None


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a running job last said. None: nothing new."""

    token: Token
    progress: dict[str, Any] | None = None


class PollRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An agent asks for work. `capacity` is by queue, `*` for queues it does not name."""

    node: str
    boot: UUID
    capacity: dict[str, int]
    live: list[Token]
    wait_s: float


class PollReply(msgspec.Struct, frozen=True, kw_only=True):
    """Work, and running jobs that should stop."""

    jobs: list[LeasedJob] = []
    cancel: list[UUID] = []


class BeatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All leases that an agent holds: running, or ended and not acknowledged yet."""

    node: str
    boot: UUID
    live: list[Token]
    progress: list[ProgressReport]


class BeatReply(msgspec.Struct, frozen=True, kw_only=True):
    """Running jobs that should stop; `lost` are no longer this agent's."""

    cancel: list[UUID] = []
    lost: list[Token] = []


class FinishRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that ended."""

    node: str
    boot: UUID
    outcomes: list[Outcome]


class FinishReply(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes that are settled: written, or of leases that no longer count."""

    settled: list[Token] = []


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's own view, for metrics."""

    running: int
    agents: int
    claimed: int
    finished: int
    rescued: int


class Reporter(Protocol):
    """How a running handler reaches its agent."""

    async def report(self, progress: dict[str, Any] | None) -> bool:
        """Hand over progress; True while the job should go on."""

    async def publish(self, channel: str, data: bytes) -> None:
        """Publish to a channel, best effort."""


class Runner(Protocol):
    """Runs handlers (`tasks.runner`). One per process and event loop."""

    def __init__(self, settings: Settings, database: "Database") -> None:
        """Opens nothing yet."""

    async def run(self, job: LeasedJob, kind: Kind, reporter: Reporter) -> Outcome:
        """Run one attempt to its outcome. Raises only when cancelled."""
