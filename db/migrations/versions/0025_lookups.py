"""What limits, pruning and the list of jobs look up.

Limits: recent mail by template, and from where an account has signed in. The list of jobs goes by id, so its filters
do, too.

Revision ID: 0025_lookups
Revises: 0024_user_changes
"""

from alembic import op

revision = "0025_lookups"
down_revision = "0024_user_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_mail_messages_template_created_at ON app.mail_messages (template, created_at)")
    op.execute("CREATE INDEX ix_login_attempts_known ON auth.login_attempts (account, ip, at) WHERE succeeded IS TRUE")
    op.execute("CREATE INDEX ix_notifications_created_at ON app.notifications (created_at)")
    op.execute("DROP INDEX jobs.ix_history_ended_badly")
    op.execute("DROP INDEX jobs.ix_history_kind")
    op.execute("CREATE INDEX ix_history_ended_badly ON jobs.history (state, id) WHERE state <> 'succeeded'")
    op.execute("CREATE INDEX ix_history_kind ON jobs.history (kind, id)")


def downgrade() -> None:
    op.execute("DROP INDEX jobs.ix_history_kind")
    op.execute("DROP INDEX jobs.ix_history_ended_badly")
    op.execute("CREATE INDEX ix_history_kind ON jobs.history (kind, finished_at)")
    op.execute("CREATE INDEX ix_history_ended_badly ON jobs.history (state, finished_at) WHERE state <> 'succeeded'")
    op.execute("DROP INDEX app.ix_notifications_created_at")
    op.execute("DROP INDEX auth.ix_login_attempts_known")
    op.execute("DROP INDEX app.ix_mail_messages_template_created_at")
