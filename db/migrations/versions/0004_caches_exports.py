"""Exports and their files, cache invalidations and outbound mail.

Revision ID: 0004_caches_exports
Revises: 0003_jobs
"""

from alembic import op

revision = "0004_caches_exports"
down_revision = "0003_jobs"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE app.exports (
    id uuid CONSTRAINT pk_exports PRIMARY KEY DEFAULT app.new_id(),
    user_id uuid NOT NULL CONSTRAINT fk_exports_user_id REFERENCES auth.users (id) ON DELETE CASCADE,
    org_id uuid,
    dataset text NOT NULL,
    format text NOT NULL CONSTRAINT ck_exports_format CHECK (format IN ('parquet', 'csv')),
    filters jsonb NOT NULL DEFAULT '{}'::jsonb,
    scope text NOT NULL CONSTRAINT ck_exports_scope CHECK (scope IN ('own', 'all')),
    state text NOT NULL DEFAULT 'queued' CONSTRAINT ck_exports_state
        CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),
    job_id uuid,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    error text,
    manifest jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX ix_exports_user_id ON app.exports (user_id, created_at);
CREATE INDEX ix_exports_expires_at ON app.exports (expires_at) WHERE state = 'succeeded';

CREATE TABLE app.export_files (
    id uuid CONSTRAINT pk_export_files PRIMARY KEY DEFAULT app.new_id(),
    export_id uuid NOT NULL
        CONSTRAINT fk_export_files_export_id REFERENCES app.exports (id) ON DELETE CASCADE,
    name text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    CONSTRAINT uq_export_files_export_id_name UNIQUE (export_id, name)
);

CREATE TABLE app.cache_invalidations (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_cache_invalidations PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    keys text[] NOT NULL,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_cache_invalidations_xid ON app.cache_invalidations (xid);
CREATE INDEX ix_cache_invalidations_created_at ON app.cache_invalidations (created_at);

CREATE TABLE app.mail_messages (
    id uuid CONSTRAINT pk_mail_messages PRIMARY KEY DEFAULT app.new_id(),
    idempotency_key text NOT NULL,
    template text NOT NULL,
    user_id uuid,
    to_address text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text,
    state text NOT NULL DEFAULT 'queued' CONSTRAINT ck_mail_messages_state
        CHECK (state IN ('queued', 'sent', 'captured', 'failed')),
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz
);
CREATE UNIQUE INDEX uq_mail_messages_idempotency_key ON app.mail_messages (idempotency_key);
CREATE INDEX ix_mail_messages_created_at ON app.mail_messages (created_at);
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    for table in (
        "app.mail_messages",
        "app.cache_invalidations",
        "app.export_files",
        "app.exports",
    ):
        op.execute(f"DROP TABLE IF EXISTS {table}")
