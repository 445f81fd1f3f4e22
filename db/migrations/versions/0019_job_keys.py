"""A job may say whose it is. Keyed jobs wait in an index of their own, in which one finds whose turn it is; every
waiting job is still in one index only.

Revision ID: 0019_job_keys
Revises: 0018_export_formats
"""

from alembic import op

revision = "0019_job_keys"
down_revision = "0018_export_formats"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs.queue ADD COLUMN key text")
    op.execute("ALTER TABLE jobs.history ADD COLUMN key text")
    op.execute("DROP INDEX jobs.ix_queue_claim")
    op.execute(
        "CREATE INDEX ix_queue_claim ON jobs.queue (queue, priority, run_at, id) WHERE state = 'ready' AND key IS NULL"
    )
    op.execute(
        "CREATE INDEX ix_queue_turns ON jobs.queue (queue, key, priority, run_at, id)"
        " WHERE state = 'ready' AND key IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX jobs.ix_queue_turns")
    op.execute("DROP INDEX jobs.ix_queue_claim")
    op.execute("ALTER TABLE jobs.history DROP COLUMN key")
    op.execute("ALTER TABLE jobs.queue DROP COLUMN key")
    op.execute("CREATE INDEX ix_queue_claim ON jobs.queue (queue, priority, run_at, id) WHERE state = 'ready'")
