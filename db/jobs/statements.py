"""The queue owner's statements. What changes jobs reads the fence ($1: shard, $2: boot id), or does nothing."""
# ruff: noqa: S608 - statements are put together from constants of this module only

MAX_ERRORS_KEPT = 10

FENCE = "fence AS (SELECT 1 FROM jobs.owners WHERE shard = $1 AND boot = $2 FOR SHARE)"
# The same for a statement that commits without waiting for the disk. Said inside it, because a transaction around it
# would cost three more trips; the commit reads the setting before it ends with the transaction.
LAX_FENCE = FENCE.replace("SELECT 1", "SELECT set_config('synchronous_commit', 'off', true)")

TAKE = """
INSERT INTO jobs.owners AS o (shard, boot) VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET boot = excluded.boot, fence = o.fence + 1, taken_at = now()
RETURNING fence
"""
# Waits until every statement that reads the fence has ended: what lost connections had begun is committed, or void.
LAST_WORDS = "SELECT 1 FROM jobs.owners WHERE shard = $1 AND boot = $2 FOR UPDATE"

HELD = """
SELECT id, j.queue, kind, lease_owner, lease_no, node, attempt, max_attempts, spared, q.key
FROM jobs.queue q JOIN jobs.jobs j USING (id) WHERE state = 'running' ORDER BY started_at
"""
STAGE = f"""
WITH {FENCE}, due AS (
    SELECT q.id FROM jobs.queue q WHERE q.state = 'deferred' AND q.run_at <= now() AND EXISTS (SELECT FROM fence)
    ORDER BY q.run_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), staged AS (
    UPDATE jobs.queue q SET state = 'ready' FROM due WHERE q.id = due.id RETURNING q.queue, q.key
)
SELECT ARRAY(SELECT DISTINCT queue FROM staged WHERE key IS NULL) AS staged,
       ARRAY(SELECT DISTINCT ARRAY[queue, key] FROM staged WHERE key IS NOT NULL) AS keys,
       (SELECT extract(epoch FROM min(run_at) - now())::float8 FROM jobs.queue
        WHERE state = 'deferred' AND run_at > now()) AS next_in_s,
       ARRAY(SELECT job_id FROM jobs.cancellations) AS cancelled
FROM fence
"""
_CLAIMED = """
claimed AS (
    UPDATE jobs.queue q
    SET state = 'running', attempt = q.attempt + 1, lease_owner = $2, lease_no = $5 + picked.position, node = $6,
        started_at = now()
    FROM picked WHERE q.id = picked.id
    RETURNING q.id, q.lease_no, q.attempt, q.spared, q.key, q.run_at
)
SELECT c.id, c.lease_no, c.attempt, j.queue, j.kind, j.args, j.max_attempts, j.user_id, j.org_id, j.created_at,
       j.traceparent, p.checkpoint, c.spared, c.key, extract(epoch FROM now() - c.run_at)::float8 AS waited_s
"""
_JOBS = (
    "FROM fence LEFT JOIN (claimed c JOIN jobs.jobs j USING (id) LEFT JOIN jobs.progress p ON p.job_id = c.id) ON true"
)

# The lease number is minted by the owner ($5 + position), never read from the row: DESIGN §5, 14.
CLAIM = f"""
WITH {LAX_FENCE}, wanted AS (
    SELECT * FROM unnest($3::text[], $4::int[]) AS w(queue, room)
), picked AS (
    SELECT p.id, row_number() OVER () AS position FROM wanted w CROSS JOIN LATERAL (
        SELECT q.id FROM jobs.queue q
        WHERE q.queue = w.queue AND q.key IS NULL AND q.state = 'ready' AND EXISTS (SELECT FROM fence)
        ORDER BY q.priority, q.run_at, q.id LIMIT w.room FOR UPDATE SKIP LOCKED
    ) AS p
), {_CLAIMED}
{_JOBS}
ORDER BY c.lease_no
"""
# The same with keyed jobs beside: one probe of the index per key that is asked for, however many jobs wait. `more`:
# whether a key has others ready.
CLAIM_KEYS = f"""
WITH {LAX_FENCE}, wanted AS (
    SELECT * FROM unnest($3::text[], $4::int[]) AS w(queue, room)
), lines AS (
    SELECT * FROM unnest($7::text[], $8::text[], $9::int[]) AS l(queue, key, room)
), picked AS (
    SELECT found.id, row_number() OVER () AS position FROM (
        SELECT p.id FROM wanted w CROSS JOIN LATERAL (
            SELECT q.id FROM jobs.queue q
            WHERE q.queue = w.queue AND q.key IS NULL AND q.state = 'ready' AND EXISTS (SELECT FROM fence)
            ORDER BY q.priority, q.run_at, q.id LIMIT w.room FOR UPDATE SKIP LOCKED
        ) AS p
        UNION ALL
        SELECT p.id FROM lines l CROSS JOIN LATERAL (
            SELECT q.id FROM jobs.queue q
            WHERE q.queue = l.queue AND q.key = l.key AND q.state = 'ready' AND EXISTS (SELECT FROM fence)
            ORDER BY q.priority, q.run_at, q.id LIMIT l.room FOR UPDATE SKIP LOCKED
        ) AS p
    ) AS found
), beyond AS MATERIALIZED (
    SELECT l.queue, l.key, EXISTS (
        SELECT FROM jobs.queue q WHERE q.queue = l.queue AND q.key = l.key AND q.state = 'ready' OFFSET l.room
    ) AS more FROM lines l
), {_CLAIMED}, coalesce(b.more, false) AS more
{_JOBS}
LEFT JOIN beyond b ON b.queue = j.queue AND b.key = c.key
ORDER BY c.lease_no
"""
FINISH = f"""
WITH {FENCE}, done AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bool[])
        AS d(id, lease_owner, lease_no, state, result, error, kept)
), gone AS (
    DELETE FROM jobs.queue q USING done d
    WHERE q.id = d.id AND q.state = 'running' AND q.lease_owner = d.lease_owner AND q.lease_no = d.lease_no
      AND EXISTS (SELECT FROM fence)
    RETURNING q.id, q.priority, q.attempt, q.node, q.started_at, q.key, d.state, d.result, d.error, d.kept
), paid AS (
    DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id RETURNING j.*
), forgotten AS (
    DELETE FROM jobs.progress p USING gone g WHERE p.job_id = g.id
), filed AS (
    INSERT INTO jobs.history (id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node,
                              result, errors, created_at, started_at, key)
    SELECT p.id, p.queue, p.kind, p.args, g.priority, g.state, g.attempt, p.max_attempts, p.user_id, p.org_id, g.node,
           g.result::jsonb, p.errors || CASE WHEN g.error IS NULL THEN '[]' ELSE jsonb_build_array(g.error::jsonb) END,
           p.created_at, g.started_at, g.key
    FROM gone g JOIN paid p USING (id) WHERE g.kept
)
SELECT gone.id FROM fence LEFT JOIN gone ON true
"""
# Jobs that nobody runs and somebody has cancelled: given back while the wish was on its way, or ended before it came.
END_CANCELLED = f"""
WITH {FENCE}, asked AS (
    SELECT c.job_id AS id FROM jobs.cancellations c
    WHERE c.job_id = ANY($3::uuid[]) AND EXISTS (SELECT FROM fence)
      AND NOT EXISTS (SELECT FROM jobs.queue q WHERE q.id = c.job_id AND q.state = 'running')
), gone AS (
    DELETE FROM jobs.queue q USING asked a WHERE q.id = a.id AND q.state <> 'running' RETURNING q.*
), paid AS (
    DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id RETURNING j.*
), forgotten AS (
    DELETE FROM jobs.progress p USING gone g WHERE p.job_id = g.id
), settled AS (
    DELETE FROM jobs.cancellations c USING asked a WHERE c.job_id = a.id
), filed AS (
    INSERT INTO jobs.history (id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node,
                              result, errors, created_at, started_at, key)
    SELECT p.id, p.queue, p.kind, p.args, g.priority, 'cancelled', g.attempt, p.max_attempts, p.user_id, p.org_id,
           g.node, NULL, p.errors, p.created_at, g.started_at, g.key
    FROM gone g JOIN paid p USING (id)
)
SELECT gone.id FROM fence LEFT JOIN gone ON true
"""
RELEASE = f"""
WITH {FENCE}, back AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::float8[], $7::text[], $8::bool[], $9::bool[])
        AS b(id, lease_owner, lease_no, delay_s, error, counted, spared)
), held AS (
    SELECT q.id FROM jobs.queue q JOIN back b USING (id)
    WHERE q.state = 'running' AND q.lease_owner = b.lease_owner AND q.lease_no = b.lease_no
      AND EXISTS (SELECT FROM fence)
    FOR UPDATE OF q SKIP LOCKED
), released AS (
    UPDATE jobs.queue q
    SET state = CASE WHEN b.delay_s > 0 THEN 'deferred' ELSE 'ready' END,
        run_at = now() + make_interval(secs => b.delay_s), lease_owner = NULL, lease_no = NULL, node = NULL,
        started_at = NULL, attempt = q.attempt - CASE WHEN b.counted THEN 0 ELSE 1 END,
        spared = q.spared + CASE WHEN b.spared THEN 1 ELSE 0 END
    FROM back b WHERE q.id = b.id AND q.id IN (SELECT id FROM held)
    RETURNING q.id, b.error
), noted AS (
    UPDATE jobs.jobs j
    SET errors = (CASE WHEN jsonb_array_length(j.errors) >= {MAX_ERRORS_KEPT} THEN j.errors - 0 ELSE j.errors END)
                 || jsonb_build_array(r.error::jsonb)
    FROM released r WHERE j.id = r.id AND r.error IS NOT NULL
)
SELECT b.id FROM fence LEFT JOIN (
    SELECT b.id FROM back b JOIN jobs.queue q USING (id)
    WHERE q.state = 'running' AND q.lease_owner = b.lease_owner AND q.lease_no = b.lease_no
      AND b.id NOT IN (SELECT id FROM released)
) AS b ON true
"""
# Which of these leases are held just now by a transaction of their own handler.
BUSY = f"""
WITH {FENCE}, asked AS (
    SELECT * FROM unnest($3::uuid[]) AS a(id)
), free AS (
    SELECT q.id FROM jobs.queue q JOIN asked a USING (id) FOR UPDATE OF q SKIP LOCKED
)
SELECT busy.id FROM fence LEFT JOIN (
    SELECT q.id FROM jobs.queue q JOIN asked a USING (id) WHERE q.id NOT IN (SELECT id FROM free)
) AS busy ON true
"""
PROGRESS = f"""
WITH {FENCE}, seen AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[]) AS s(id, lease_owner, lease_no, progress)
)
INSERT INTO jobs.progress AS p (job_id, progress)
SELECT q.id, s.progress::jsonb FROM seen s JOIN jobs.queue q
    ON q.id = s.id AND q.state = 'running' AND q.lease_owner = s.lease_owner AND q.lease_no = s.lease_no
WHERE EXISTS (SELECT FROM fence)
ON CONFLICT (job_id) DO UPDATE SET progress = coalesce(excluded.progress, p.progress), updated_at = now()
"""
# After a crash of Postgres a claim that was committed without waiting for the disk may be gone: the row waits again
# while its job runs. The owner's memory is the newer truth, so it is written back before anything is claimed.
REASSERT = f"""
WITH {FENCE}, mine AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::int[])
        AS m(id, lease_owner, lease_no, node, attempt)
), restored AS (
    UPDATE jobs.queue q
    SET state = 'running', lease_owner = m.lease_owner, lease_no = m.lease_no, node = m.node, attempt = m.attempt,
        started_at = now()
    FROM mine m WHERE q.id = m.id AND q.state <> 'running' AND q.attempt = m.attempt - 1 AND EXISTS (SELECT FROM fence)
    RETURNING q.id
), kept AS (
    SELECT q.id FROM jobs.queue q JOIN mine m USING (id)
    WHERE q.state = 'running' AND q.lease_owner = m.lease_owner AND q.lease_no = m.lease_no
)
SELECT held.id FROM fence LEFT JOIN (SELECT id FROM restored UNION SELECT id FROM kept) AS held ON true
"""
BEAT = """
INSERT INTO jobs.nodes AS n (boot, node, running) VALUES ($1, $2, $3)
ON CONFLICT (boot) DO UPDATE SET running = excluded.running, last_seen_at = now()
"""
# Loose index scans: one index probe per distinct queue, or (queue, key), however many jobs wait.
QUEUES = """
WITH RECURSIVE q AS (
    (SELECT queue FROM jobs.queue WHERE state = 'ready' AND key IS NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (
        SELECT n.queue FROM jobs.queue n
        WHERE n.state = 'ready' AND n.key IS NULL AND n.queue > q.queue ORDER BY n.queue LIMIT 1
    ) FROM q WHERE q.queue IS NOT NULL
)
SELECT queue FROM q WHERE queue IS NOT NULL
"""
KEYS = """
WITH RECURSIVE k AS (
    (
        SELECT queue, key FROM jobs.queue
        WHERE state = 'ready' AND key IS NOT NULL AND (queue, key) > ($1::text, $2::text) ORDER BY queue, key LIMIT 1
    )
    UNION ALL
    SELECT n.queue, n.key FROM k CROSS JOIN LATERAL (
        SELECT q.queue, q.key FROM jobs.queue q
        WHERE q.state = 'ready' AND q.key IS NOT NULL AND (q.queue, q.key) > (k.queue, k.key)
        ORDER BY q.queue, q.key LIMIT 1
    ) AS n
)
SELECT queue, key FROM k LIMIT $3
"""
