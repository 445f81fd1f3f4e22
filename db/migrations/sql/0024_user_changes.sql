-- The trail of accounts is never pruned: it keeps what changed, and of a long value no more than proves what it was.

CREATE FUNCTION audit.in_short(value jsonb) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(value::text) <= 2048 THEN value
        ELSE jsonb_build_object(
            'bytes', octet_length(value::text),
            'sha256', encode(sha256(convert_to(value::text, 'UTF8')), 'hex')
        )
    END
$$;

CREATE OR REPLACE FUNCTION audit.log_user_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    fields text[];
BEGIN
    SELECT coalesce(array_agg(key ORDER BY key), '{}') INTO fields
    FROM (SELECT jsonb_object_keys(coalesce(after, before)) AS key) AS keys
    WHERE before IS NULL OR after IS NULL OR before -> key IS DISTINCT FROM after -> key;
    IF fields <@ ARRAY['updated_at', 'version', 'last_login_at'] THEN
        RETURN NULL;  -- nothing that a reader of the trail asks about
    END IF;
    INSERT INTO audit.user_changes (user_id, operation, changed_by, changed_fields, old_values, new_values)
    SELECT
        (coalesce(after, before) ->> 'id')::uuid, TG_OP, app.acting_user_id(), fields,
        CASE WHEN before IS NOT NULL THEN (
            SELECT coalesce(jsonb_object_agg(key, audit.in_short(value)), '{}')
            FROM jsonb_each(before) WHERE key = ANY (fields) AND key <> 'password_hash'
        ) END,
        CASE WHEN after IS NOT NULL THEN (
            SELECT coalesce(jsonb_object_agg(key, audit.in_short(value)), '{}')
            FROM jsonb_each(after) WHERE key = ANY (fields) AND key <> 'password_hash'
        ) END;
    RETURN NULL;
END
$$;
