"""What follows from the end of an attempt: pure decisions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from actors.jobs.contract import Kind, Outcome
from db.jobs.payloads import readable
from db.jobs.store import Finish, Release

DEATH_DELAY_S = 0.5
"""A job whose process died is tried again almost at once: the fault was probably not its own. It counts all the same,
so a job that kills its process ends."""

ORPHANED_LIMIT = 3
"""After this many uncounted attempts the end of its agent counts: a job may be what ends its agents."""

UNAVAILABLE_LIMIT = 500
"""After this many uncounted attempts an outage counts too: eight hours."""

UNAVAILABLE_FIRST_S = 1.0
UNAVAILABLE_DELAY_S = 60.0
"""What was away is asked again at most this often by each job, and at most this long after its return."""

MAX_ERROR_CHARACTERS = 4_000

UNKNOWN_KIND = Kind(name="", handler="", max_attempts=10, backoff_s=5.0)
"""A kind that this process does not know may be known after the next deploy: keep trying for a while."""


@dataclass(slots=True)
class Attempt:
    """The lease whose end is decided about."""

    id: UUID
    owner: UUID
    number: int
    attempt: int
    max_attempts: int
    spared: int = field(default=0, kw_only=True)
    """Attempts before this one that ended through no fault of the job and were not counted."""


def backoff_s(kind: Kind, attempt: int, jitter: float) -> float:
    """Seconds until the next attempt: doubled each time, bounded, spread by ±25 % (`jitter` is within 0 to 1)."""
    base = min(kind.backoff_limit_s, kind.backoff_s * 2.0 ** min(attempt - 1, 30))
    return spread(base, jitter)


def spread(seconds: float, jitter: float) -> float:
    """±25 %: what was refused together does not come back together."""
    return seconds * (0.75 + 0.5 * jitter)


def decide(outcome: Outcome, lease: Attempt, kind: Kind, jitter: float) -> Finish | Release:
    """End the job, or give it back for another attempt."""
    token = (lease.id, lease.owner, lease.number)
    match outcome.state:
        case "succeeded":
            return Finish(*token, state="succeeded", result=outcome.result, kept=kind.kept)
        case "cancelled":
            return Finish(
                *token, state="cancelled", error=note(outcome.error, lease.attempt) if outcome.error else None
            )
        case "snoozed":
            return Release(*token, delay_s=max(0.0, outcome.retry_in_s or 0.0), counted=False)
        case "returned":
            return Release(*token, delay_s=0.0, counted=False)
        case "orphaned" if lease.spared < ORPHANED_LIMIT:
            error = note(outcome.error, lease.attempt)
            return Release(*token, delay_s=DEATH_DELAY_S, error=error, counted=False, spared=True)
        case "unavailable" if lease.spared < UNAVAILABLE_LIMIT:
            least = max(UNAVAILABLE_FIRST_S, outcome.retry_in_s or 0.0)
            delay = max(least, min(UNAVAILABLE_DELAY_S, least * 2.0 ** min(lease.spared, 30)))
            first = note(outcome.error, lease.attempt) if lease.spared == 0 else None  # the others say the same
            return Release(*token, delay_s=spread(delay, jitter), error=first, counted=False, spared=True)
        case "refused":
            return Finish(*token, state="failed", error=note(outcome.error, lease.attempt))
        case "failed" | "died" | "orphaned" | "unavailable":
            error = note(outcome.error, lease.attempt)
            if lease.attempt >= lease.max_attempts:
                return Finish(*token, state="failed", error=error)
            delay = DEATH_DELAY_S if outcome.state in ("died", "orphaned") else backoff_s(kind, lease.attempt, jitter)
            return Release(*token, delay_s=delay, error=error)


def note(error: str, attempt: int) -> dict[str, object]:
    """An entry of a job's list of errors."""
    return {"attempt": attempt, "at": datetime.now(UTC).isoformat(), "error": readable(error[-MAX_ERROR_CHARACTERS:])}
