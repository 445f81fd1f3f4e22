-- Processes that keep connections on the roster. `beat` grows with every sign of life, `batch` with every commit.
CREATE TABLE app.session_hubs (
    boot text CONSTRAINT pk_session_hubs PRIMARY KEY,
    beat bigint NOT NULL DEFAULT 0,
    batch bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Who is there: a connection (channel '') or a connection in a channel. `wanted` are the events its namespace named.
CREATE TABLE app.session_roster (
    client text NOT NULL,
    channel text NOT NULL,
    boot text NOT NULL,
    user_id text NOT NULL,
    session text NOT NULL,
    wanted smallint NOT NULL,
    conn_info bytea,
    chan_info bytea,
    entered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_session_roster PRIMARY KEY (client, channel)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX ix_session_roster_boot ON app.session_roster (boot);

CREATE TABLE app.session_channels (
    channel text CONSTRAINT pk_session_channels PRIMARY KEY,
    members bigint NOT NULL
) WITH (fillfactor = 70);

-- `position` is given under a lock that lives until the commit is visible: its order is commit order, so a reader that
-- remembers a position misses nothing.
CREATE TABLE app.session_events (
    position bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_session_events PRIMARY KEY,
    kind text NOT NULL,
    client text NOT NULL,
    user_id text NOT NULL,
    session text NOT NULL,
    channel text NOT NULL,
    hub text NOT NULL,
    code integer NOT NULL DEFAULT 0,
    occurred_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX ix_session_events_occurred_at ON app.session_events (occurred_at);

CREATE TABLE app.session_event_handlers (
    name text CONSTRAINT pk_session_event_handlers PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    error text,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- One living job brings the events to their handlers. It gives its key up when it starts, so that what is committed
-- from then on makes another one.
CREATE FUNCTION app.wake_session_events(p_job uuid) RETURNS void LANGUAGE sql AS $$
    WITH made AS (
        INSERT INTO jobs.jobs (id, queue, kind, unique_key)
        VALUES (p_job, 'session_events', 'session_events.deliver', 'session_events.deliver')
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
        RETURNING id
    )
    INSERT INTO jobs.queue (id, queue, state) SELECT made.id, 'session_events', 'ready' FROM made
$$;

-- One group commit of one hub: who entered and who left, in order, with the events that this makes. Returns how many.
-- A batch that was committed before does nothing. MB004: the hub's lease was lost, and everybody in it has left.
-- Bits of `wanted`: 1 connected, 2 disconnected, 4 subscribed, 8 unsubscribed, 16 occupied, 32 vacated.
CREATE FUNCTION app.record_sessions(
    p_boot text, p_batch bigint, p_job uuid,
    o_enters boolean[], o_client text[], o_channel text[], o_user text[], o_session text[], o_wanted smallint[],
    o_code integer[], o_at_ms bigint[], o_conn_info bytea[], o_chan_info bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('app.session_events', 0));
    SELECT h.batch INTO last FROM app.session_hubs h WHERE h.boot = p_boot FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of hub % is lost', p_boot USING ERRCODE = 'MB004';
    END IF;
    IF last >= p_batch THEN
        RETURN 0;
    END IF;
    UPDATE app.session_hubs SET batch = p_batch, beat = beat + 1, seen_at = now() WHERE boot = p_boot;

    WITH changes AS MATERIALIZED (
        SELECT i.*, to_timestamp(i.at_ms / 1000.0) AS at,
               row_number() OVER (PARTITION BY i.client, i.channel ORDER BY i.n DESC) = 1 AS is_last,
               CASE WHEN i.channel <> '' THEN coalesce(c.members, 0)
                   + sum(CASE WHEN i.enters THEN 1 ELSE -1 END) OVER (PARTITION BY i.channel ORDER BY i.n) END AS members
        FROM unnest(
            o_enters, o_client, o_channel, o_user, o_session, o_wanted, o_code, o_at_ms, o_conn_info, o_chan_info
        ) WITH ORDINALITY
            AS i(enters, client, channel, user_id, session, wanted, code, at_ms, conn_info, chan_info, n)
        LEFT JOIN app.session_channels c ON c.channel = i.channel
    ), gone AS (
        DELETE FROM app.session_roster r USING changes s
        WHERE s.is_last AND NOT s.enters AND r.client = s.client AND r.channel = s.channel
    ), here AS (
        INSERT INTO app.session_roster AS r
            (client, channel, boot, user_id, session, wanted, conn_info, chan_info, entered_at)
        SELECT s.client, s.channel, p_boot, s.user_id, s.session, s.wanted, s.conn_info, s.chan_info, s.at
        FROM changes s WHERE s.is_last AND s.enters
        -- It left and came again within the batch: the row stands, of a newer subscription.
        ON CONFLICT ON CONSTRAINT pk_session_roster DO UPDATE
            SET boot = excluded.boot, wanted = excluded.wanted, entered_at = excluded.entered_at
    ), counted AS (
        INSERT INTO app.session_channels AS c (channel, members)
        SELECT s.channel, sum(CASE WHEN s.enters THEN 1 ELSE -1 END) FROM changes s
        WHERE s.channel <> '' GROUP BY s.channel
        ON CONFLICT ON CONSTRAINT pk_session_channels DO UPDATE SET members = c.members + excluded.members
    ), recorded AS (
        INSERT INTO app.session_events (kind, client, user_id, session, channel, hub, code, occurred_at)
        SELECT e.kind, e.client, e.user_id, e.session, e.channel, p_boot, e.code, e.at
        FROM (
            SELECT s.*, k.kind, k.rank FROM changes s
            CROSS JOIN LATERAL (VALUES
                (1, 'connected', s.enters AND s.channel = '' AND s.wanted & 1 > 0),
                (2, 'occupied', s.enters AND s.members = 1 AND s.wanted & 16 > 0),
                (3, 'subscribed', s.enters AND s.channel <> '' AND s.wanted & 4 > 0),
                (4, 'unsubscribed', NOT s.enters AND s.channel <> '' AND s.wanted & 8 > 0),
                (5, 'vacated', NOT s.enters AND s.members = 0 AND s.wanted & 32 > 0),
                (6, 'disconnected', NOT s.enters AND s.channel = '' AND s.wanted & 2 > 0)
            ) AS k(rank, kind, applies)
            WHERE k.applies ORDER BY s.n, k.rank
        ) AS e
        RETURNING 1
    )
    SELECT count(*) INTO made FROM recorded;
    DELETE FROM app.session_channels c WHERE c.channel = ANY (o_channel) AND c.members <= 0;
    IF made > 0 THEN
        PERFORM app.wake_session_events(p_job);
    END IF;
    RETURN made;
END
$$;

-- Ends a hub whose beat has stood still (or, with a null beat, unconditionally): its rows go, and each that goes is one
-- leave. Returns who left which channel; nothing when the hub is alive after all, or somebody else was first.
CREATE FUNCTION app.expire_session_hub(p_boot text, p_beat bigint, p_code integer, p_job uuid)
RETURNS TABLE (client text, channel text, user_id text, conn_info bytea, chan_info bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('app.session_events', 0));
    DELETE FROM app.session_hubs h WHERE h.boot = p_boot AND (p_beat IS NULL OR h.beat = p_beat);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO app.session_events (kind, client, user_id, session, channel, hub, code, occurred_at)
    SELECT e.kind, e.client, e.user_id, e.session, e.channel, p_boot, p_code, clock_timestamp()
    FROM (
        SELECT s.*, k.kind, k.rank FROM (
            SELECT r.*, row_number() OVER (PARTITION BY r.channel ORDER BY r.client) = c.members AS empties
            FROM app.session_roster r LEFT JOIN app.session_channels c ON c.channel = r.channel
            WHERE r.boot = p_boot
        ) AS s
        CROSS JOIN LATERAL (VALUES
            (1, 'unsubscribed', s.channel <> '' AND s.wanted & 8 > 0),
            (2, 'vacated', s.channel <> '' AND s.empties AND s.wanted & 32 > 0),
            (3, 'disconnected', s.channel = '' AND s.wanted & 2 > 0)
        ) AS k(rank, kind, applies)
        WHERE k.applies ORDER BY s.client, s.channel = '', s.channel, k.rank
    ) AS e;
    GET DIAGNOSTICS made = ROW_COUNT;
    UPDATE app.session_channels c SET members = c.members - g.gone
    FROM (SELECT r.channel, count(*) AS gone FROM app.session_roster r WHERE r.boot = p_boot GROUP BY r.channel) AS g
    WHERE c.channel = g.channel;
    DELETE FROM app.session_channels c WHERE c.members <= 0;
    IF made > 0 THEN
        PERFORM app.wake_session_events(p_job);
    END IF;
    RETURN QUERY
    WITH gone AS (DELETE FROM app.session_roster r WHERE r.boot = p_boot RETURNING r.*)
    SELECT g.client, g.channel, g.user_id, g.conn_info, g.chan_info FROM gone g WHERE g.channel <> '';
END
$$;
