-- Publishes when the caller's transaction commits, as app.publish does, and what it says takes the place of what the
-- publication `replaced` said, which app.publish or this function has returned the number of: in the channel's history,
-- with the same offset. Who has read that already is not reached otherwise than by this publication.
CREATE FUNCTION app.replace_publication(channel text, replaced bigint, data jsonb)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO app.outbox (channel, data, attributes)
    VALUES ($1, $3, jsonb_build_object('replaces', $2))
    RETURNING id
$$;

-- app.relay_outbox, and what its rows replace, in the same transaction. `replaced` is the offset of that, if it is still
-- there.
CREATE FUNCTION app.relay_publications(
    p_fence bigint, p_buckets smallint[], p_namespaces text[], p_ttl integer[], p_meta_ttl integer[], p_after bigint,
    p_limit integer
) RETURNS TABLE (channel text, epoch text, "offset" bigint, publication_id text, data text, attributes text,
                 time_ms bigint, replaced bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    made record;
BEGIN
    FOR made IN SELECT r.* FROM app.relay_outbox(p_fence, p_buckets, p_namespaces, p_ttl, p_meta_ttl, p_after, p_limit) AS r
    LOOP
        replaced := NULL;
        IF made.attributes LIKE '%"replaces"%' THEN
            UPDATE app.stream_publications p SET data = convert_to(made.data, 'UTF8')
            WHERE p.channel = made.channel
                AND p.publication_id = 'outbox:' || (made.attributes::jsonb ->> 'replaces')
                AND p."offset" < made."offset"
            RETURNING p."offset" INTO replaced;
        END IF;
        channel := made.channel;
        epoch := made.epoch;
        "offset" := made."offset";
        publication_id := made.publication_id;
        data := made.data;
        attributes := made.attributes;
        time_ms := made.time_ms;
        RETURN NEXT;
    END LOOP;
END
$$;
