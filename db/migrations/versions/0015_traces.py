"""Jobs and publications of the outbox carry the trace of the transaction that asked for them.

The trace is a transaction-local setting, so every way to make either carries it, SQL included, and costs nothing where
nobody traces. Of a publication it is one of the rare attributes.

Revision ID: 0015_traces
Revises: 0014_trail_and_attempts
"""

from alembic import op

revision = "0015_traces"
down_revision = "0014_trail_and_attempts"
branch_labels = None
depends_on = None

ATTRIBUTES = """
CREATE OR REPLACE FUNCTION app.publication_attributes(
    tags jsonb, exclude_clients text[], exclude_users text[], version bigint, version_epoch text
) RETURNS jsonb LANGUAGE plpgsql {volatility} AS $$
BEGIN
    IF version < 0 THEN
        RAISE EXCEPTION 'a version is not negative' USING ERRCODE = '22023';
    END IF;
    RETURN nullif(jsonb_strip_nulls(jsonb_build_object(
        'tags', tags,
        'exclude_clients', CASE WHEN cardinality(exclude_clients) > 0 THEN to_jsonb(exclude_clients) END,
        'exclude_users', CASE WHEN cardinality(exclude_users) > 0 THEN to_jsonb(exclude_users) END,
        'version', nullif(version, 0),
        'version_epoch', CASE WHEN version > 0 THEN nullif(version_epoch, '') END{trace}
    )), '{{}}');
END
$$
"""
TRACE = """,
        'trace', nullif(current_setting('app.traceparent', true), '')"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE jobs.jobs ADD COLUMN traceparent text DEFAULT nullif(current_setting('app.traceparent', true), '')"
    )
    op.execute(ATTRIBUTES.format(volatility="STABLE", trace=TRACE))


def downgrade() -> None:
    op.execute(ATTRIBUTES.format(volatility="IMMUTABLE", trace=""))
    op.execute("ALTER TABLE jobs.jobs DROP COLUMN traceparent")
