"""Every kind of job, what the clock starts, policies of queues. Handlers are named: the queue owner reads this too."""

from collections.abc import Mapping

from actors.jobs.contract import Kind, QueuePolicy, Rate, Registry, Schedule
from cluster.settings import Settings

KINDS = (
    Kind("events.dispatch", "tasks.events.dispatch:dispatch", max_attempts=20),
    Kind("mail.send", "tasks.mail.send:send", max_attempts=10, backoff_s=5.0, backoff_limit_s=3600.0),
    Kind("mail.reconcile", "tasks.mail.reconcile:reconcile", timeout_s=30.0, max_attempts=1, kept=False),
    Kind("analytics.record", "tasks.analytics.record:record", max_attempts=10),
    Kind("orders.advance", "tasks.orders.advance:advance"),
    Kind("dashboard.publish", "tasks.dashboard.publish:publish", timeout_s=10.0, max_attempts=1, kept=False),
    Kind("exports.run", "tasks.exports.run:run", mode="task", timeout_s=900.0, max_attempts=5, memory_mb=1024),
    Kind(
        "exports.write_parts",
        "tasks.exports.part_jobs:write_parts",
        mode="task",
        timeout_s=400.0,
        memory_mb=1024,
        kept=False,
    ),
    Kind("exports.reconcile", "tasks.exports.maintain:reconcile", timeout_s=30.0, max_attempts=1, kept=False),
    Kind("exports.prune", "tasks.exports.maintain:prune", timeout_s=300.0),
    Kind("events.ensure_partitions", "tasks.maintenance.partitions:ensure", max_attempts=10),
    Kind(
        "session_events.deliver",
        "tasks.session_events.deliver:deliver",
        max_attempts=20,
        backoff_limit_s=30.0,
        kept=False,
    ),
    Kind("maintenance.prune", "tasks.maintenance.prune:prune", timeout_s=300.0),
    Kind("jobs.probe", "tasks.jobs.probe:probe", timeout_s=10.0, max_attempts=1, logged=False),
    Kind("maintenance.reseal", "tasks.maintenance.reseal:reseal", timeout_s=300.0),
)

SCHEDULES = (
    # Twice a day, seven days ahead: a partition may be missing only after a week of failures.
    Schedule("events.ensure_partitions", "events.ensure_partitions", cron="7 */12 * * *"),
    Schedule("maintenance.prune", "maintenance.prune", cron="23 * * * *"),
    Schedule("maintenance.reseal", "maintenance.reseal", cron="53 4 * * *"),
    Schedule("exports.prune", "exports.prune", cron="41 * * * *"),
    Schedule("exports.reconcile", "exports.reconcile", every_s=20),
    Schedule("mail.reconcile", "mail.reconcile", every_s=300),
    # What is left over when a job failed for good, or a hub died between its commit and its wake-up.
    Schedule("session_events.deliver", "session_events.deliver", every_s=60, queue="session_events"),
    Schedule("dashboard.publish", "dashboard.publish", every_s=5, queue="default"),
)


def policies(settings: Settings) -> Mapping[str, QueuePolicy]:
    """What holds for queues in the whole cluster."""
    # Each export holds one of few places for minutes: one person never has more than two of them.
    found = {"exports": QueuePolicy(limit_per_key=2), "probe-limited": QueuePolicy(limit_per_key=4)}
    if settings.mail_per_minute:
        found["mail"] = QueuePolicy(rate=Rate(settings.mail_per_minute, per_s=60.0))
    return found


REGISTRY = Registry(kinds={kind.name: kind for kind in KINDS}, schedules=SCHEDULES, policies=policies)
