DROP FUNCTION app.publish(text, jsonb, jsonb, text);
DROP FUNCTION app.map_publish(text, text, jsonb, bigint, jsonb, text);
DROP FUNCTION app.relay_outbox_with_keys(bigint, smallint[], text[], integer[], integer[], bigint, integer);

-- What of a publication is rare, as JSON without what is empty; NULL for nothing. Raises 22023 for a version below 0.
CREATE FUNCTION app.publication_attributes(
    tags jsonb, exclude_clients text[], exclude_users text[], version bigint, version_epoch text
) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF version < 0 THEN
        RAISE EXCEPTION 'a version is not negative' USING ERRCODE = '22023';
    END IF;
    RETURN nullif(jsonb_strip_nulls(jsonb_build_object(
        'tags', tags,
        'exclude_clients', CASE WHEN cardinality(exclude_clients) > 0 THEN to_jsonb(exclude_clients) END,
        'exclude_users', CASE WHEN cardinality(exclude_users) > 0 THEN to_jsonb(exclude_users) END,
        'version', nullif(version, 0),
        'version_epoch', CASE WHEN version > 0 THEN nullif(version_epoch, '') END
    )), '{}');
END
$$;

-- Publishes when, and only when, the caller's transaction commits. A version that is not newer than the channel's is
-- dropped then.
CREATE FUNCTION app.publish(
    channel text, data jsonb, tags jsonb DEFAULT NULL, idempotency_key text DEFAULT '',
    exclude_clients text[] DEFAULT '{}', exclude_users text[] DEFAULT '{}',
    version bigint DEFAULT 0, version_epoch text DEFAULT ''
) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO app.outbox (channel, data, attributes, idempotency_key)
    VALUES ($1, $2, app.publication_attributes($3, $5, $6, $7, $8), coalesce($4, ''))
    RETURNING id
$$;

-- Sets a key of a map likewise. key_mode: 'if_new', 'if_exists' or ''. The version is the key's; key_ttl in seconds, on
-- maps that are not persistent.
CREATE FUNCTION app.map_publish(
    channel text, key text, data jsonb, score bigint DEFAULT 0, tags jsonb DEFAULT NULL,
    idempotency_key text DEFAULT '', key_mode text DEFAULT '', version bigint DEFAULT 0, version_epoch text DEFAULT '',
    key_ttl integer DEFAULT 0
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    IF coalesce(key_mode, '') NOT IN ('', 'if_new', 'if_exists') THEN
        RAISE EXCEPTION 'key_mode is if_new or if_exists' USING ERRCODE = '22023';
    END IF;
    IF key_ttl < 0 THEN
        RAISE EXCEPTION 'key_ttl is not negative' USING ERRCODE = '22023';
    END IF;
    INSERT INTO app.outbox (channel, data, attributes, idempotency_key)
    VALUES (
        $1, $3,
        jsonb_strip_nulls(jsonb_build_object('key', $2, 'score', $4, 'mode', nullif($7, ''), 'ttl', nullif($10, 0)))
            || coalesce(app.publication_attributes($5, NULL, NULL, $8, $9), '{}'),
        coalesce($6, '')
    )
    RETURNING id INTO made;
    RETURN made;
END
$$;

-- As before, and publications with a version that is not newer than their stream's are dropped, in order.
CREATE OR REPLACE FUNCTION app.relay_outbox(
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
        SELECT t.*, row_number() OVER (PARTITION BY t.channel, t.idempotency_key ORDER BY t.position) AS nth,
               coalesce((t.attributes ->> 'version')::bigint, 0) AS version,
               coalesce(t.attributes ->> 'version_epoch', '') AS version_epoch
        FROM taken t
    ), once AS (
        SELECT r.* FROM ranked r
        WHERE r.idempotency_key = '' OR (r.nth = 1 AND NOT EXISTS (
            SELECT 1 FROM app.publication_keys k
            WHERE k.channel = r.channel AND k.key = r.idempotency_key AND k.expires_at >= now()
        ))
    ), versioned AS (
        -- Runs of one version epoch: whatever came of a run, its epoch is the stream's when the next one begins.
        SELECT c.*, sum(c.changes) OVER (PARTITION BY c.channel ORDER BY c.position) AS run FROM (
            SELECT o.channel, o.position, o.version, o.version_epoch,
                   (lag(o.version_epoch) OVER (PARTITION BY o.channel ORDER BY o.position)
                       IS DISTINCT FROM o.version_epoch)::integer AS changes
            FROM once o WHERE o.version > 0
        ) AS c
    ), judged AS (
        SELECT v.channel, v.position, v.version, v.version_epoch, v.version > greatest(
            coalesce(max(v.version) OVER (
                PARTITION BY v.channel, v.run ORDER BY v.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0),
            CASE WHEN v.run = 1 AND h.version_epoch = v.version_epoch THEN h.version ELSE 0 END
        ) AS newer
        FROM versioned v JOIN app.stream_heads h ON h.channel = v.channel
    ), fresh AS (
        SELECT o.*, row_number() OVER (PARTITION BY o.channel ORDER BY o.position) AS n FROM once o
        WHERE NOT EXISTS (SELECT 1 FROM judged j WHERE j.position = o.position AND NOT j.newer)
    ), newest AS (
        SELECT DISTINCT ON (j.channel) j.channel, j.version, j.version_epoch FROM judged j WHERE j.newer
        ORDER BY j.channel, j.position DESC
    ), policy AS (
        SELECT p.namespace, p.ttl, p.meta_ttl FROM unnest(p_namespaces, p_ttl, p_meta_ttl) AS p(namespace, ttl, meta_ttl)
    ), moved AS (
        UPDATE app.stream_heads h
        SET top = h.top + c.n,
            version = coalesce(c.version, h.version), version_epoch = coalesce(c.version_epoch, h.version_epoch),
            expires_at = CASE WHEN h.expires_at < now() + make_interval(secs => c.meta_ttl)
                THEN now() + make_interval(secs => 2 * c.meta_ttl) ELSE h.expires_at END
        FROM (
            SELECT f.channel, count(*) AS n, max(p.meta_ttl) AS meta_ttl, max(w.version) AS version,
                   max(w.version_epoch) AS version_epoch
            FROM fresh f JOIN policy p ON p.namespace = f.namespace LEFT JOIN newest w ON w.channel = f.channel
            GROUP BY f.channel
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
