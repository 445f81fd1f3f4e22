"""Attempts that are not counted, the job that sends a mail, and an index of jobs that did not succeed.

Revision ID: 0017_job_ends
Revises: 0015_traces
"""

from alembic import op

revision = "0017_job_ends"
down_revision = "0015_traces"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs.queue ADD COLUMN spared smallint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE app.mail_messages ADD COLUMN job_id uuid")
    op.execute(
        "UPDATE app.mail_messages m SET job_id = j.id FROM jobs.jobs j"
        " WHERE m.state = 'queued' AND j.kind = 'mail.send' AND j.args ->> 'mail_id' = m.id::text"
    )
    op.execute("CREATE INDEX ix_mail_messages_queued ON app.mail_messages (created_at) WHERE state = 'queued'")
    op.execute("CREATE INDEX ix_history_ended_badly ON jobs.history (state, finished_at) WHERE state <> 'succeeded'")


def downgrade() -> None:
    op.execute("DROP INDEX jobs.ix_history_ended_badly")
    op.execute("DROP INDEX app.ix_mail_messages_queued")
    op.execute("ALTER TABLE app.mail_messages DROP COLUMN job_id")
    op.execute("ALTER TABLE jobs.queue DROP COLUMN spared")
