"""Wishes to cancel a job stand in a table of their own: a job's row may be locked by the very handler that hangs.

Revision ID: 0013_job_cancellations
Revises: 0012_transactional
"""

from alembic import op

revision = "0013_job_cancellations"
down_revision = "0012_transactional"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE jobs.cancellations (
            job_id uuid CONSTRAINT pk_cancellations PRIMARY KEY,
            requested_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("INSERT INTO jobs.cancellations (job_id) SELECT id FROM jobs.queue WHERE cancel_requested")
    op.execute("ALTER TABLE jobs.queue DROP COLUMN cancel_requested")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs.queue ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false")
    op.execute(
        "UPDATE jobs.queue q SET cancel_requested = true FROM jobs.cancellations c"
        " WHERE c.job_id = q.id AND q.state = 'running'"
    )
    op.execute("DROP TABLE jobs.cancellations")
