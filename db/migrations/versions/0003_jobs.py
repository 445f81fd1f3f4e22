"""Jobs: requests, the hot queue, progress, history in daily partitions, fences, nodes and cron fire keys.

Revision ID: 0003_jobs
Revises: 0002_streams_outbox
"""

from alembic import op

revision = "0003_jobs"
down_revision = "0002_streams_outbox"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE jobs.jobs (
    id uuid CONSTRAINT pk_jobs PRIMARY KEY,
    queue text NOT NULL,
    kind text NOT NULL,
    args jsonb NOT NULL DEFAULT '{}'::jsonb,
    priority smallint NOT NULL DEFAULT 0,
    unique_key text,
    max_attempts smallint,
    user_id uuid,
    org_id uuid,
    errors jsonb NOT NULL DEFAULT '[]'::jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000);
CREATE UNIQUE INDEX uq_jobs_unique_key ON jobs.jobs (unique_key) WHERE unique_key IS NOT NULL;

CREATE TABLE jobs.queue (
    id uuid CONSTRAINT pk_queue PRIMARY KEY,
    queue text NOT NULL,
    state text NOT NULL CONSTRAINT ck_queue_state CHECK (state IN ('ready', 'deferred', 'running')),
    priority smallint NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT now(),
    attempt smallint NOT NULL DEFAULT 0,
    lease_owner uuid,
    lease_no bigint,
    node text,
    started_at timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000);
CREATE INDEX ix_queue_claim ON jobs.queue (queue, priority, run_at, id) WHERE state = 'ready';
CREATE INDEX ix_queue_deferred ON jobs.queue (run_at) WHERE state = 'deferred';
CREATE INDEX ix_queue_running ON jobs.queue (id) WHERE state = 'running';

CREATE TABLE jobs.progress (
    job_id uuid CONSTRAINT pk_progress PRIMARY KEY,
    progress jsonb,
    checkpoint jsonb,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE jobs.history (
    id uuid NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    queue text NOT NULL,
    kind text NOT NULL,
    args jsonb NOT NULL,
    priority smallint NOT NULL,
    state text NOT NULL CONSTRAINT ck_history_state CHECK (state IN ('succeeded', 'failed', 'cancelled')),
    attempt smallint NOT NULL,
    max_attempts smallint,
    user_id uuid,
    org_id uuid,
    node text,
    result jsonb,
    errors jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    CONSTRAINT pk_history PRIMARY KEY (id, finished_at)
) PARTITION BY RANGE (finished_at);
CREATE INDEX ix_history_finished_at ON jobs.history (finished_at);
CREATE INDEX ix_history_kind ON jobs.history (kind, finished_at);
CREATE TABLE jobs.history_default PARTITION OF jobs.history DEFAULT;

CREATE TABLE jobs.owners (
    shard integer CONSTRAINT pk_owners PRIMARY KEY,
    boot uuid NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    taken_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE jobs.nodes (
    boot uuid CONSTRAINT pk_nodes PRIMARY KEY,
    node text NOT NULL,
    running integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE jobs.cron_fires (
    schedule text NOT NULL,
    fire_at timestamptz NOT NULL,
    job_id uuid,
    CONSTRAINT pk_cron_fires PRIMARY KEY (schedule, fire_at)
);
CREATE INDEX ix_cron_fires_fire_at ON jobs.cron_fires (fire_at);
"""

# A day whose rows already fell into the default partition (nobody made partitions for a while) is moved out of it
# first: Postgres refuses to attach a partition while the default one holds rows that belong to it.
_ENSURE = """
CREATE FUNCTION jobs.ensure_history_partitions(ahead integer DEFAULT 7) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    day date;
    part text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('jobs.ensure_history_partitions', 0));
    FOR day IN SELECT d::date FROM (
        SELECT (now() AT TIME ZONE 'UTC')::date + i AS d FROM generate_series(0, ahead) AS i
        UNION
        SELECT (finished_at AT TIME ZONE 'UTC')::date FROM jobs.history_default
    ) AS days ORDER BY 1
    LOOP
        part := 'history_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('jobs.' || part) IS NULL THEN
            -- Parent first, as every insert does: no deadlock with them, and none slips a row in before ATTACH looks.
            LOCK TABLE ONLY jobs.history IN SHARE UPDATE EXCLUSIVE MODE;
            LOCK TABLE jobs.history_default IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('CREATE TABLE jobs.%I (LIKE jobs.history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
            EXECUTE format(
                'WITH moved AS (DELETE FROM jobs.history_default'
                ' WHERE finished_at >= %L::timestamptz AND finished_at < %L::timestamptz RETURNING *)'
                ' INSERT INTO jobs.%I SELECT * FROM moved',
                day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00', part
            );
            EXECUTE format(
                'ALTER TABLE jobs.history ATTACH PARTITION jobs.%I FOR VALUES FROM (%L) TO (%L)',
                part, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
            );
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$
"""

_PRUNE = """
CREATE FUNCTION jobs.drop_history_partitions(keep_days integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    part text;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'jobs.history'::regclass AND c.relname ~ '^history_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - keep_days
    LOOP
        EXECUTE format('DROP TABLE jobs.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(_ENSURE)
    op.execute(_PRUNE)
    op.execute("SELECT jobs.ensure_history_partitions(7)")


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS jobs.drop_history_partitions(integer)")
    op.execute("DROP FUNCTION IF EXISTS jobs.ensure_history_partitions(integer)")
    for table in ("cron_fires", "nodes", "owners", "history", "progress", "queue", "jobs"):
        op.execute(f"DROP TABLE IF EXISTS jobs.{table} CASCADE")
