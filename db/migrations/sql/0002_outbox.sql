CREATE SEQUENCE app.outbox_positions;

-- `position` is given at commit, under the channel's lock: per channel, its order is commit order.
CREATE TABLE app.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_outbox PRIMARY KEY,
    channel text NOT NULL CONSTRAINT ck_outbox_channel CHECK (octet_length(channel) BETWEEN 1 AND 255),
    bucket smallint NOT NULL GENERATED ALWAYS AS (app.bucket_of(channel)) STORED,
    namespace text NOT NULL GENERATED ALWAYS AS (app.namespace_of(channel)) STORED,
    data jsonb NOT NULL,
    attributes jsonb,
    idempotency_key text NOT NULL DEFAULT '',
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE UNIQUE INDEX ix_outbox_position ON app.outbox (position) WHERE position IS NOT NULL;
CREATE INDEX ix_outbox_unnumbered ON app.outbox (xid) WHERE position IS NULL;

-- Runs at commit, for the first row of the transaction on behalf of all of them. Locks are taken in one order by every
-- transaction (no deadlock), live until the commit is visible, and are per channel: others do not wait.
CREATE FUNCTION app.number_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lock_key bigint;
BEGIN
    IF EXISTS (SELECT 1 FROM app.outbox o WHERE o.id = NEW.id AND o.position IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    FOR lock_key IN
        SELECT DISTINCT hashtextextended(o.channel, 20021) FROM app.outbox o
        WHERE o.xid = pg_current_xact_id() AND o.position IS NULL ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(lock_key);
    END LOOP;
    UPDATE app.outbox o SET position = n.position
    FROM (
        SELECT s.id, nextval('app.outbox_positions') AS position
        FROM (
            SELECT u.id FROM app.outbox u WHERE u.xid = pg_current_xact_id() AND u.position IS NULL ORDER BY u.id
        ) AS s
    ) AS n
    WHERE o.id = n.id;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER number_outbox AFTER INSERT ON app.outbox
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.number_outbox();

-- Publishes when, and only when, the caller's transaction commits.
CREATE FUNCTION app.publish(channel text, data jsonb, tags jsonb DEFAULT NULL, idempotency_key text DEFAULT '')
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO app.outbox (channel, data, attributes, idempotency_key)
    VALUES ($1, $2, CASE WHEN $3 IS NOT NULL THEN jsonb_build_object('tags', $3) END, coalesce($4, ''))
    RETURNING id
$$;

-- Moves committed rows of durable namespaces from the outbox to their streams, in order, behind the owner's fence.
-- p_after skips positions that are known to be gone for ever.
CREATE FUNCTION app.relay_outbox(
    p_fence bigint, p_buckets smallint[], p_namespaces text[], p_ttl integer[], p_meta_ttl integer[], p_after bigint,
    p_limit integer
) RETURNS TABLE (channel text, epoch text, "offset" bigint, publication_id text, data text, attributes text,
                 time_ms bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    positions bigint[];
    held smallint[];
BEGIN
    SELECT array_agg(c.position ORDER BY c.position), array_agg(DISTINCT c.bucket) INTO positions, held
    FROM (
        SELECT o.position, o.bucket FROM app.outbox o
        WHERE o.position > p_after AND o.bucket = ANY (p_buckets) AND o.namespace = ANY (p_namespaces)
        ORDER BY o.position LIMIT p_limit
    ) AS c;
    IF positions IS NULL THEN
        RETURN;
    END IF;
    PERFORM app.assert_fence(p_fence, held);
    INSERT INTO app.stream_heads (channel, epoch, expires_at)
    SELECT DISTINCT o.channel, substr(md5(random()::text), 1, 8), now() + interval '1 day'
    FROM app.outbox o WHERE o.position = ANY (positions)
    ON CONFLICT ON CONSTRAINT pk_stream_heads DO NOTHING;
    RETURN QUERY
    WITH taken AS (
        DELETE FROM app.outbox o WHERE o.position = ANY (positions) RETURNING o.*
    ), ranked AS (
        SELECT t.*, row_number() OVER (PARTITION BY t.channel, t.idempotency_key ORDER BY t.position) AS nth FROM taken t
    ), fresh AS (
        SELECT r.*, row_number() OVER (PARTITION BY r.channel ORDER BY r.position) AS n FROM ranked r
        WHERE r.idempotency_key = '' OR (r.nth = 1 AND NOT EXISTS (
            SELECT 1 FROM app.publication_keys k
            WHERE k.channel = r.channel AND k.key = r.idempotency_key AND k.expires_at >= now()
        ))
    ), policy AS (
        SELECT p.namespace, p.ttl, p.meta_ttl FROM unnest(p_namespaces, p_ttl, p_meta_ttl) AS p(namespace, ttl, meta_ttl)
    ), moved AS (
        UPDATE app.stream_heads h
        SET top = h.top + c.n,
            expires_at = CASE WHEN h.expires_at < now() + make_interval(secs => c.meta_ttl)
                THEN now() + make_interval(secs => 2 * c.meta_ttl) ELSE h.expires_at END
        FROM (
            SELECT f.channel, count(*) AS n, max(p.meta_ttl) AS meta_ttl
            FROM fresh f JOIN policy p ON p.namespace = f.namespace GROUP BY f.channel
        ) AS c
        WHERE h.channel = c.channel RETURNING h.channel, h.epoch, h.top - c.n AS base
    ), made AS (
        SELECT f.channel, m.epoch, m.base + f.n AS made_offset, 'outbox:' || f.id AS made_id, f.data, f.attributes,
               (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS made_ms, f.idempotency_key, f.position, p.ttl
        FROM fresh f JOIN moved m ON m.channel = f.channel JOIN policy p ON p.namespace = f.namespace
    ), stored AS (
        INSERT INTO app.stream_publications (channel, "offset", publication_id, data, attributes, time_ms, expires_at)
        SELECT m.channel, m.made_offset, m.made_id, convert_to(m.data::text, 'UTF8'), m.attributes, m.made_ms,
               now() + make_interval(secs => m.ttl)
        FROM made m
    ), keyed AS (
        INSERT INTO app.publication_keys AS k (channel, key, epoch, "offset", expires_at)
        SELECT m.channel, m.idempotency_key, m.epoch, m.made_offset, now() + interval '5 minutes'
        FROM made m WHERE m.idempotency_key <> ''
        ON CONFLICT ON CONSTRAINT pk_publication_keys DO UPDATE
            SET epoch = excluded.epoch, "offset" = excluded."offset", expires_at = excluded.expires_at
    )
    SELECT m.channel, m.epoch, m.made_offset, m.made_id, m.data::text, m.attributes::text, m.made_ms
    FROM made m ORDER BY m.position;
END
$$;

-- Deletes rows of memory namespaces once their owner has published them.
CREATE FUNCTION app.forget_outbox(p_fence bigint, p_buckets smallint[], p_ids bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.assert_fence(p_fence, p_buckets);
    DELETE FROM app.outbox o WHERE o.id = ANY (p_ids);
END
$$;
