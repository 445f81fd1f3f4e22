-- Same hash as actors/links/placement.py.
CREATE FUNCTION app.bucket_of(key text) RETURNS smallint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ((get_byte(sha256(convert_to(key, 'UTF8')), 0) * 256 + get_byte(sha256(convert_to(key, 'UTF8')), 1))
            % 1024)::smallint
$$;

-- Same rule as actors/protocol/channels.py: what stands before the first colon, without the mark of private channels.
CREATE FUNCTION app.namespace_of(channel text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN position(':' IN channel) = 0 OR starts_with(channel, ':') OR starts_with(channel, '$:') THEN 'default'
        WHEN starts_with(channel, '$') THEN split_part(substr(channel, 2), ':', 1)
        ELSE split_part(channel, ':', 1)
    END
$$;

CREATE SEQUENCE app.stream_fences;

CREATE TABLE app.stream_buckets (
    bucket smallint CONSTRAINT pk_stream_buckets PRIMARY KEY,
    shard smallint NOT NULL,
    fence bigint NOT NULL,
    owner text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    taken_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE app.stream_heads (
    channel text CONSTRAINT pk_stream_heads PRIMARY KEY,
    epoch text NOT NULL,
    top bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    version_epoch text NOT NULL DEFAULT '',
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX ix_stream_heads_expires_at ON app.stream_heads (expires_at);

CREATE TABLE app.stream_publications (
    channel text NOT NULL,
    "offset" bigint NOT NULL,
    publication_id text NOT NULL,
    data bytea NOT NULL,
    attributes jsonb,
    time_ms bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_stream_publications PRIMARY KEY (channel, "offset"),
    CONSTRAINT uq_stream_publications_channel_publication_id UNIQUE (channel, publication_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX ix_stream_publications_expires_at ON app.stream_publications (expires_at);

CREATE TABLE app.publication_keys (
    channel text NOT NULL,
    key text NOT NULL,
    epoch text NOT NULL,
    "offset" bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_publication_keys PRIMARY KEY (channel, key)
);
CREATE INDEX ix_publication_keys_expires_at ON app.publication_keys (expires_at);

-- Raises MB001 unless the caller's fence is the newest of every bucket, and keeps it so until the transaction ends.
-- Rows are locked in order, as take_buckets does, so that the two never wait for each other in a circle.
CREATE FUNCTION app.assert_fence(p_fence bigint, p_buckets smallint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held integer;
BEGIN
    SELECT count(*) INTO held FROM (
        SELECT 1 FROM app.stream_buckets b WHERE b.bucket = ANY (p_buckets) AND b.fence = p_fence
        ORDER BY b.bucket FOR SHARE
    ) AS locked;
    IF held <> cardinality(p_buckets) THEN
        RAISE EXCEPTION 'fence % is no longer the newest of its buckets', p_fence USING ERRCODE = 'MB001';
    END IF;
END
$$;

-- Takes buckets over with a new fence. Again: only if the owner still has all of them (else MB001); it may have lost the
-- answer to an earlier call, so the owner's name decides and not the fence that it remembers.
CREATE FUNCTION app.take_buckets(p_buckets smallint[], p_shard smallint, p_owner text, p_again boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    held integer;
BEGIN
    -- Locked before the number is drawn: of two take-overs that overlap, the later one has the greater fence.
    SELECT count(*) INTO held FROM (
        SELECT b.owner FROM app.stream_buckets b WHERE b.bucket = ANY (p_buckets) ORDER BY b.bucket FOR UPDATE
    ) AS locked WHERE locked.owner = p_owner;
    IF p_again AND held <> cardinality(p_buckets) THEN
        RAISE EXCEPTION '% no longer owns its buckets', p_owner USING ERRCODE = 'MB001';
    END IF;
    taken := nextval('app.stream_fences');
    INSERT INTO app.stream_buckets AS b (bucket, shard, fence, owner)
    SELECT given.bucket, p_shard, taken, p_owner FROM unnest(p_buckets) AS given(bucket) ORDER BY given.bucket
    ON CONFLICT ON CONSTRAINT pk_stream_buckets DO UPDATE SET
        fence = excluded.fence, shard = excluded.shard, owner = excluded.owner, taken_at = now(),
        version = b.version + (b.shard <> excluded.shard)::integer;
    RETURN taken;
END
$$;

-- Heads of channels, made where there are none. A second statement reads them: it sees what the insert waited for.
CREATE FUNCTION app.open_streams(
    p_fence bigint, p_buckets smallint[], p_channels text[], p_epochs text[], p_meta_ttl integer[]
) RETURNS TABLE (channel text, epoch text, top bigint, version bigint, version_epoch text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.assert_fence(p_fence, p_buckets);
    INSERT INTO app.stream_heads AS h (channel, epoch, expires_at)
    SELECT i.channel, i.epoch, now() + make_interval(secs => 2 * i.ttl)
    FROM unnest(p_channels, p_epochs, p_meta_ttl) AS i(channel, epoch, ttl) ORDER BY i.channel
    ON CONFLICT ON CONSTRAINT pk_stream_heads DO UPDATE SET expires_at = greatest(h.expires_at, excluded.expires_at);
    RETURN QUERY SELECT h.channel, h.epoch, h.top, h.version, h.version_epoch
        FROM app.stream_heads h WHERE h.channel = ANY (p_channels);
END
$$;

-- One group commit: fence, heads by compare-and-set (MB002), rows (their unique constraint notices a publication that
-- was committed before), idempotency keys (MB003). All or nothing.
CREATE FUNCTION app.commit_publications(
    p_fence bigint, p_buckets smallint[],
    h_channel text[], h_epoch text[], h_top bigint[], h_new bigint[], h_version bigint[], h_version_epoch text[],
    h_meta_ttl integer[],
    r_channel text[], r_offset bigint[], r_id text[], r_data bytea[], r_attributes text[], r_time_ms bigint[],
    r_ttl integer[],
    k_channel text[], k_key text[], k_epoch text[], k_offset bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed integer;
BEGIN
    PERFORM app.assert_fence(p_fence, p_buckets);
    UPDATE app.stream_heads h
    SET top = i.new, version = i.version, version_epoch = i.version_epoch,
        -- Moved on rarely, and then twice as far: an update that leaves it alone touches no index.
        expires_at = CASE WHEN h.expires_at < now() + make_interval(secs => i.ttl)
            THEN now() + make_interval(secs => 2 * i.ttl) ELSE h.expires_at END
    FROM unnest(h_channel, h_epoch, h_top, h_new, h_version, h_version_epoch, h_meta_ttl)
        AS i(channel, epoch, top, new, version, version_epoch, ttl)
    WHERE h.channel = i.channel AND h.epoch = i.epoch AND h.top = i.top;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> cardinality(h_channel) THEN
        RAISE EXCEPTION 'a stream head is not where its owner believes' USING ERRCODE = 'MB002';
    END IF;
    INSERT INTO app.stream_publications (channel, "offset", publication_id, data, attributes, time_ms, expires_at)
    SELECT i.channel, i.position, i.id, i.data, i.attributes::jsonb, i.time_ms, now() + make_interval(secs => i.ttl)
    FROM unnest(r_channel, r_offset, r_id, r_data, r_attributes, r_time_ms, r_ttl)
        AS i(channel, position, id, data, attributes, time_ms, ttl);
    IF cardinality(k_channel) > 0 THEN
        INSERT INTO app.publication_keys AS k (channel, key, epoch, "offset", expires_at)
        SELECT i.channel, i.key, i.epoch, i.position, now() + interval '5 minutes'
        FROM unnest(k_channel, k_key, k_epoch, k_offset) AS i(channel, key, epoch, position)
        ON CONFLICT ON CONSTRAINT pk_publication_keys DO UPDATE
            SET epoch = excluded.epoch, "offset" = excluded."offset", expires_at = excluded.expires_at
            WHERE k.expires_at < now();
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(k_channel) THEN
            RAISE EXCEPTION 'an idempotency key was used before' USING ERRCODE = 'MB003';
        END IF;
    END IF;
END
$$;
