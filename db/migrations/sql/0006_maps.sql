-- The newest value of every key of persistent maps. A change is a publication of the map's stream as well, committed in
-- the same transaction; `offset` says which.
CREATE TABLE app.map_keys (
    channel text NOT NULL,
    key text NOT NULL,
    "offset" bigint NOT NULL,
    data bytea NOT NULL,
    attributes jsonb,
    score bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    version_epoch text NOT NULL DEFAULT '',
    time_ms bigint NOT NULL,
    CONSTRAINT pk_map_keys PRIMARY KEY (channel, key)
) WITH (fillfactor = 70);

-- Stands beside app.commit_publications in one statement, whose fence covers both. One row per key.
CREATE FUNCTION app.write_map_keys(
    k_channel text[], k_key text[], k_removed boolean[], k_offset bigint[], k_data bytea[], k_attributes text[],
    k_score bigint[], k_version bigint[], k_version_epoch text[], k_time_ms bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app.map_keys m USING unnest(k_channel, k_key, k_removed) AS i(channel, key, removed)
    WHERE i.removed AND m.channel = i.channel AND m.key = i.key;
    INSERT INTO app.map_keys (channel, key, "offset", data, attributes, score, version, version_epoch, time_ms)
    SELECT i.channel, i.key, i.position, i.data, i.attributes::jsonb, i.score, i.version, i.version_epoch, i.time_ms
    FROM unnest(k_channel, k_key, k_removed, k_offset, k_data, k_attributes, k_score, k_version, k_version_epoch,
                k_time_ms)
        AS i(channel, key, removed, position, data, attributes, score, version, version_epoch, time_ms)
    WHERE NOT i.removed
    ON CONFLICT ON CONSTRAINT pk_map_keys DO UPDATE SET
        "offset" = excluded."offset", data = excluded.data, attributes = excluded.attributes, score = excluded.score,
        version = excluded.version, version_epoch = excluded.version_epoch, time_ms = excluded.time_ms;
END
$$;

-- Forgets keys and stream of a map; its head begins a new epoch.
CREATE FUNCTION app.clear_map(p_fence bigint, p_buckets smallint[], p_channel text, p_epoch text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.assert_fence(p_fence, p_buckets);
    DELETE FROM app.map_keys m WHERE m.channel = p_channel;
    DELETE FROM app.stream_publications p WHERE p.channel = p_channel;
    DELETE FROM app.publication_keys k WHERE k.channel = p_channel;
    UPDATE app.stream_heads h SET epoch = p_epoch, top = 0, version = 0, version_epoch = ''
    WHERE h.channel = p_channel;
END
$$;

-- Sets a key of a map when, and only when, the caller's transaction commits, in commit order.
CREATE FUNCTION app.map_publish(
    channel text, key text, data jsonb, score bigint DEFAULT 0, tags jsonb DEFAULT NULL, idempotency_key text DEFAULT ''
) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO app.outbox (channel, data, attributes, idempotency_key)
    VALUES ($1, $3, jsonb_strip_nulls(jsonb_build_object('key', $2, 'score', $4, 'tags', $5)), coalesce($6, ''))
    RETURNING id
$$;

-- Removes a key likewise.
CREATE FUNCTION app.map_remove(channel text, key text, idempotency_key text DEFAULT '') RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO app.outbox (channel, data, attributes, idempotency_key)
    VALUES ($1, 'null', jsonb_build_object('key', $2, 'removed', true), coalesce($3, ''))
    RETURNING id
$$;

-- app.relay_outbox, and the keys that its rows set or remove: the newest change of each.
CREATE FUNCTION app.relay_outbox_with_keys(
    p_fence bigint, p_buckets smallint[], p_namespaces text[], p_ttl integer[], p_meta_ttl integer[], p_after bigint,
    p_limit integer
) RETURNS TABLE (channel text, epoch text, "offset" bigint, publication_id text, data text, attributes text,
                 time_ms bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH moved AS MATERIALIZED (
        SELECT r.* FROM app.relay_outbox(p_fence, p_buckets, p_namespaces, p_ttl, p_meta_ttl, p_after, p_limit)
            WITH ORDINALITY AS r(channel, epoch, "offset", publication_id, data, attributes, time_ms, place)
    ), newest AS (
        SELECT DISTINCT ON (c.channel, c.key) c.* FROM (
            SELECT m.*, m.attributes::jsonb AS rare, m.attributes::jsonb ->> 'key' AS key
            FROM moved m WHERE m.attributes IS NOT NULL
        ) AS c WHERE c.key <> '' ORDER BY c.channel, c.key, c."offset" DESC
    ), gone AS (
        DELETE FROM app.map_keys k USING newest n
        WHERE k.channel = n.channel AND k.key = n.key AND (n.rare ->> 'removed')::boolean
    ), put AS (
        INSERT INTO app.map_keys (channel, key, "offset", data, attributes, score, time_ms)
        SELECT n.channel, n.key, n."offset", convert_to(n.data, 'UTF8'), n.rare,
               coalesce((n.rare ->> 'score')::bigint, 0), n.time_ms
        FROM newest n WHERE NOT coalesce((n.rare ->> 'removed')::boolean, false)
        ON CONFLICT ON CONSTRAINT pk_map_keys DO UPDATE SET
            "offset" = excluded."offset", data = excluded.data, attributes = excluded.attributes,
            score = excluded.score, version = 0, version_epoch = '', time_ms = excluded.time_ms
    )
    SELECT m.channel, m.epoch, m."offset", m.publication_id, m.data, m.attributes, m.time_ms FROM moved m
    ORDER BY m.place;
END
$$;
