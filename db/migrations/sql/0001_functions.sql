-- Schemas and functions that tables and triggers need. `{new_id}` is filled in by the revision.

CREATE SCHEMA auth;
CREATE SCHEMA app;
CREATE SCHEMA audit;
CREATE SCHEMA jobs;

CREATE FUNCTION app.new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT {new_id}()';

-- Who acts: set by Database.transaction, local to the transaction. NULL for the system itself.
CREATE FUNCTION app.acting_user_id() RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT nullif(current_setting('app.current_user_id', true), '')::uuid $$;

-- Partitions of app.events for the current month and `months_ahead` more (UTC months). Returns how many were made.
-- Rows that reached the default partition meanwhile are moved. Safe to run at any time, from many places at once.
-- Gives up after a few seconds behind a long transaction that writes events, rather than let everybody queue.
CREATE FUNCTION app.ensure_event_partitions(months_ahead integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    first_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    lower_bound timestamptz;
    upper_bound timestamptz;
    partition_name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('app.ensure_event_partitions', 0));
    FOR step IN 0 .. greatest(months_ahead, 0) LOOP
        partition_name := 'events_' || to_char(first_month + make_interval(months => step), 'YYYY_MM');
        CONTINUE WHEN to_regclass('app.' || partition_name) IS NOT NULL;
        lower_bound := (first_month + make_interval(months => step)) AT TIME ZONE 'UTC';
        upper_bound := (first_month + make_interval(months => step + 1)) AT TIME ZONE 'UTC';
        -- Stops writers before they choose a partition: one that had chosen the default would fail after ATTACH.
        LOCK TABLE ONLY app.events IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE app.%I (LIKE app.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition_name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM app.events_default WHERE created_at >= %L AND created_at < %L RETURNING *)'
            ' INSERT INTO app.%I SELECT * FROM moved', lower_bound, upper_bound, partition_name);
        EXECUTE format(
            'ALTER TABLE app.events ATTACH PARTITION app.%I FOR VALUES FROM (%L) TO (%L)',
            partition_name, lower_bound, upper_bound);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops partitions whose whole month ended more than `keep_months` months ago. Returns how many.
CREATE FUNCTION app.drop_event_partitions(keep_months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    oldest text := 'events_' || to_char(
        date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => greatest(keep_months, 1)), 'YYYY_MM');
    partition_name text;
    dropped integer := 0;
BEGIN
    FOR partition_name IN
        SELECT child.relname FROM pg_inherits
        JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'app.events'::regclass AND child.relname ~ '^events_\d{4}_\d{2}$' AND child.relname < oldest
    LOOP
        EXECUTE format('DROP TABLE app.%I', partition_name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- The seed's audit trigger, corrected: inserts too, an unset user is NULL rather than an error, and no password hash.
CREATE FUNCTION audit.log_user_changes() RETURNS trigger LANGUAGE plpgsql AS $$
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
    VALUES (
        (coalesce(after, before) ->> 'id')::uuid, TG_OP, app.acting_user_id(), fields,
        before - 'password_hash', after - 'password_hash'
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
