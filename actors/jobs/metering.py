"""What the queue owner counts of jobs for `/metrics`."""

from actors.jobs.contract import Kind
from actors.metrics.registry import JOB_ATTEMPT_DURATION, JOB_ATTEMPTS, JOB_WAIT
from db.jobs.store import Finish, Release

UNKNOWN = "unknown"
"""What kinds are called that are not registered here: their names come from rows, and there may be any number."""


def started(kind: Kind, waited_s: float) -> None:
    """A job was handed out, so long after it was due."""
    JOB_WAIT.labels(kind.name or UNKNOWN).observe(waited_s)


def ended(kind: Kind, item: Finish | Release, granted_at: float | None, now: float) -> None:
    """An attempt is over as this says. Without `granted_at` nobody knows how long it took."""
    name = kind.name or UNKNOWN
    JOB_ATTEMPTS.labels(name, outcome_of(item)).inc()
    if granted_at is not None:
        JOB_ATTEMPT_DURATION.labels(name).observe(now - granted_at)


def outcome_of(item: Finish | Release) -> str:
    """`succeeded`, `failed`, `cancelled`; `retried` after a fault of the job, `given_back` when it did not count."""
    if isinstance(item, Finish):
        return item.state
    return "retried" if item.counted else "given_back"
