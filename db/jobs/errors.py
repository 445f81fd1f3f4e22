"""What can be wrong with a request about jobs."""

from db.errors import Conflict, NotFound


class JobNotFound(NotFound):
    """No live or finished job has this id (finished ones are pruned)."""

    code = "job_not_found"
    default_message = "There is no such job, or it was pruned."


class JobNotRetryable(Conflict):
    """Only a job that failed or was cancelled can be run again."""

    code = "job_not_retryable"
    default_message = "Only a failed or cancelled job can be run again."


class JobFinished(Conflict):
    """The job ended before it could be cancelled."""

    code = "job_finished"
    default_message = "The job has already ended."


class LeaseLost(Conflict):
    """The job was rescued or cancelled meanwhile: another attempt owns it, and this one may write nothing."""

    code = "job_lease_lost"
    default_message = "Another attempt of this job took over."
