"""The metrics of this process. Import the metric, and count.

Labels have few values: route templates, never paths; kinds, never ids.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
"""Ours alone: Ray and Serve fill the library's default registry with theirs."""

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The stable semantic conventions' buckets of HTTP server durations."""

HTTP_REQUESTS = Counter("http_requests", "HTTP requests answered.", ("method", "endpoint", "status"), registry=REGISTRY)
HTTP_REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time to answer an HTTP request.",
    ("method", "endpoint"),
    registry=REGISTRY,
    buckets=DURATION_BUCKETS,
)
REQUESTS_IN_FLIGHT = Gauge("http_requests_in_flight", "HTTP requests being answered.", registry=REGISTRY)
"""Read when it is asked for: whoever answers requests sets the function."""
ACTIVE_CONNECTIONS = Gauge("active_connections", "Open realtime connections.", registry=REGISTRY)
REFUSED_CONNECTIONS = Counter(
    "refused_connections", "Realtime handshakes refused at the edge.", ("reason",), registry=REGISTRY
)
HAPROXY_PROCESSES = Gauge(
    "haproxy_processes", "HAProxy processes of a node, the one that listens and old ones.", registry=REGISTRY
)
OLD_HAPROXY_CONNECTIONS = Gauge(
    "old_haproxy_connections", "Open realtime connections behind an HAProxy that no longer listens.", registry=REGISTRY
)
DATABASE_POOL_SIZE = Gauge(
    "database_connection_pool_size", "Database connections that are open in process pools.", registry=REGISTRY
)
CACHE_HIT_RATE = Gauge("cache_hit_rate", "Cached reads answered without loading, in percent.", registry=REGISTRY)
CACHE_READS = Counter("cache_reads", "Cached reads by outcome.", ("outcome",), registry=REGISTRY)
RATE_LIMITED = Counter("rate_limited_requests", "Requests answered 429.", ("policy",), registry=REGISTRY)

REALTIME_CONNECTIONS = Gauge(
    "realtime_connections", "Open realtime connections by transport.", ("transport",), registry=REGISTRY
)
REALTIME_FRAMES_RECEIVED = Counter("realtime_frames_received", "Frames from realtime clients.", registry=REGISTRY)
REALTIME_MESSAGES_SENT = Counter(
    "realtime_messages_sent",
    "Messages to realtime clients: publications as each subscriber reads them, and others (replies, pushes).",
    ("kind",),
    registry=REGISTRY,
)
REALTIME_PUBLICATIONS = Counter(
    "realtime_publications", "Publications that reached a realtime process with subscribers.", registry=REGISTRY
)
REALTIME_SUBSCRIBE_DURATION = Histogram(
    "realtime_subscribe_duration_seconds",
    "Time from asking a channel's owner to its answer in the stream.",
    registry=REGISTRY,
    buckets=DURATION_BUCKETS,
)
REALTIME_RECOVERIES = Counter(
    "realtime_recoveries", "Subscribers that asked for what they missed, by outcome.", ("outcome",), registry=REGISTRY
)
SHARED_POLLS = Counter(
    "shared_polls",
    "Calls of the callbacks of shared polls, by callback and outcome: answered, failed, timed out.",
    ("callback", "outcome"),
    registry=REGISTRY,
)
SHARED_POLL_VALUES = Counter(
    "shared_poll_values",
    "Values and removals that callbacks of shared polls answered.",
    ("callback",),
    registry=REGISTRY,
)
SHARED_POLL_DURATION = Histogram(
    "shared_poll_duration_seconds",
    "Time that a callback of shared polls took.",
    ("callback",),
    registry=REGISTRY,
    buckets=DURATION_BUCKETS,
)
SHARED_POLL_KEYS = Gauge("shared_poll_keys", "Keys of shared polls that are tracked here.", registry=REGISTRY)
BROKER_CHANNELS = Gauge("broker_channels", "Channels that a broker shard has in memory.", ("shard",), registry=REGISTRY)
BROKER_MEMORY = Gauge(
    "broker_memory_bytes",
    "What the channels of a broker shard keep: histories, maps, idempotency keys, values of shared polls.",
    ("shard",),
    registry=REGISTRY,
)
BROKER_EVICTIONS = Counter(
    "broker_evictions",
    "Channels without subscribers that were forgotten early because their broker shard was full.",
    registry=REGISTRY,
)
BROKER_REFUSALS = Counter(
    "broker_refusals",
    "Operations that a full broker shard refused with 111, by what it had no room for: a channel or a key.",
    ("wanted",),
    registry=REGISTRY,
)
REALTIME_DISCONNECTS = Counter(
    "realtime_disconnects",
    "Realtime connections that ended, by code; 'left' without one, 3008 for clients that read too slowly.",
    ("code",),
    registry=REGISTRY,
)

JOB_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
"""From a no-op to an export of a night."""

JOB_ATTEMPTS = Counter(
    "job_attempts",
    "Attempts of jobs that ended: succeeded, failed, cancelled; retried after a fault of the job, given_back when it "
    "did not count (snoozed, or the fault of another).",
    ("kind", "outcome"),
    registry=REGISTRY,
)
JOB_ATTEMPT_DURATION = Histogram(
    "job_attempt_duration_seconds",
    "Time from handing a job to a node until its end is written.",
    ("kind",),
    registry=REGISTRY,
    buckets=JOB_BUCKETS,
)
JOB_WAIT = Histogram(
    "job_wait_seconds",
    "Time from when a job was due until it is handed to a node.",
    ("kind",),
    registry=REGISTRY,
    buckets=JOB_BUCKETS,
)

TABLES = CollectorRegistry()
"""What stands in tables. Whoever answers `/metrics` reads it there; no process pushes it, so nothing is added up."""

QUEUED_JOBS = Gauge(
    "queued_jobs", "Jobs that have not ended, by state: ready, deferred, running.", ("queue", "state"), registry=TABLES
)
OLDEST_READY_JOB = Gauge(
    "oldest_ready_job_seconds", "For how long the longest waiting job has been due.", ("queue",), registry=TABLES
)
OUTBOX_PUBLICATIONS = Gauge(
    "outbox_publications", "Committed publications of transactions that are not in their channels yet.", registry=TABLES
)
OLDEST_OUTBOX_PUBLICATION = Gauge(
    "oldest_outbox_publication_seconds", "For how long the oldest of them has waited.", registry=TABLES
)
