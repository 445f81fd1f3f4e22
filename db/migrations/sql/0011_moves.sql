-- Takes all buckets of a shard with a new fence, and those of p_defaults that nobody has had yet. Returns what it has now.
-- Again: only while no other incarnation of the shard has taken them (else MB001); buckets that were moved to this
-- incarnation meanwhile are among them, buckets that were moved away are not.
CREATE FUNCTION app.take_shard(p_shard smallint, p_owner text, p_defaults smallint[], p_again boolean)
RETURNS TABLE (bucket smallint, fence bigint, version bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    taken bigint;
    others integer;
BEGIN
    -- Locked before the number is drawn: of two take-overs that overlap, the later one has the greater fence.
    SELECT count(*) INTO others FROM (
        SELECT b.owner FROM app.stream_buckets b WHERE b.shard = p_shard ORDER BY b.bucket FOR UPDATE
    ) AS locked WHERE locked.owner <> p_owner;
    IF p_again AND others > 0 THEN
        RAISE EXCEPTION '% no longer owns its buckets', p_owner USING ERRCODE = 'MB001';
    END IF;
    taken := nextval('app.stream_fences');
    INSERT INTO app.stream_buckets (bucket, shard, fence, owner)
    SELECT given.bucket, p_shard, taken, p_owner FROM unnest(p_defaults) AS given(bucket) ORDER BY given.bucket
    ON CONFLICT ON CONSTRAINT pk_stream_buckets DO NOTHING;
    UPDATE app.stream_buckets b SET fence = taken, owner = p_owner, taken_at = now() WHERE b.shard = p_shard;
    RETURN QUERY SELECT b.bucket, b.fence, b.version FROM app.stream_buckets b WHERE b.shard = p_shard;
END
$$;

-- Gives buckets to an incarnation of another shard: all of them or, when one is no longer the caller's, none (MB001).
-- The caller is fenced out with the same statement; the new owner takes them with its own fence before it writes.
CREATE FUNCTION app.move_buckets(p_fence bigint, p_buckets smallint[], p_shard smallint, p_owner text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
    held integer;
BEGIN
    SELECT count(*) INTO held FROM (
        SELECT 1 FROM app.stream_buckets b WHERE b.bucket = ANY (p_buckets) AND b.fence = p_fence
        ORDER BY b.bucket FOR UPDATE
    ) AS locked;
    IF held <> cardinality(p_buckets) THEN
        RAISE EXCEPTION 'fence % is no longer the newest of its buckets', p_fence USING ERRCODE = 'MB001';
    END IF;
    moved := nextval('app.stream_fences');
    UPDATE app.stream_buckets b
    SET shard = p_shard, owner = p_owner, fence = moved, version = b.version + 1, taken_at = now()
    WHERE b.bucket = ANY (p_buckets);
END
$$;
