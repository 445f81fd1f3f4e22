-- The audit trail. Models: db/audit/models.py.

CREATE TABLE audit.entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    actor_id UUID,
    action VARCHAR(60) NOT NULL,
    subject_type VARCHAR(40) NOT NULL,
    subject_id VARCHAR(80) NOT NULL,
    ip VARCHAR(45),
    request_id VARCHAR(64),
    details JSONB DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_entries PRIMARY KEY (id)
);
CREATE INDEX ix_entries_actor_id_at ON audit.entries (actor_id, at);
CREATE INDEX ix_entries_at ON audit.entries (at);
CREATE INDEX ix_entries_subject ON audit.entries (subject_type, subject_id);

CREATE TABLE audit.user_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id UUID NOT NULL,
    operation VARCHAR(10) NOT NULL,
    changed_by UUID,
    changed_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    changed_fields TEXT[] DEFAULT '{}'::text[] NOT NULL,
    old_values JSONB,
    new_values JSONB,
    CONSTRAINT pk_user_changes PRIMARY KEY (id)
);
CREATE INDEX ix_user_changes_changed_by ON audit.user_changes (changed_by);
CREATE INDEX ix_user_changes_user_id_id ON audit.user_changes (user_id, id);

CREATE TRIGGER users_audit AFTER INSERT OR UPDATE OR DELETE ON auth.users
    FOR EACH ROW EXECUTE FUNCTION audit.log_user_changes();

CREATE TRIGGER user_changes_append_only BEFORE UPDATE OR DELETE ON audit.user_changes
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();

CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON audit.entries
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
