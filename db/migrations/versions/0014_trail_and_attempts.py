"""The audit trail takes ids of any length, attempts to sign in are counted before they are decided.

Revision ID: 0014_trail_and_attempts
Revises: 0013_job_cancellations
"""

from alembic import op

from db.migrations.operations import SQL, split_statements

revision = "0014_trail_and_attempts"
down_revision = "0013_job_cancellations"
branch_labels = None
depends_on = None

UNUSED = "FUNCTION app.take_buckets("
"""Nobody called it any more: buckets are taken by the statements of 0011_moves."""


def upgrade() -> None:
    # Users of other issuers are called what their issuer says, and a failed login is about what was typed.
    op.execute("ALTER TABLE audit.entries ALTER COLUMN subject_id TYPE text")
    # NULL: the password is being verified.
    op.execute("ALTER TABLE auth.login_attempts ALTER COLUMN succeeded DROP NOT NULL")
    op.execute("DROP FUNCTION app.take_buckets(smallint[], smallint, text, boolean)")


def downgrade() -> None:
    for statement in split_statements((SQL / "0002_streams.sql").read_text(encoding="utf-8")):
        if UNUSED in statement.splitlines()[0]:
            op.get_bind().exec_driver_sql(statement)
    op.execute("UPDATE auth.login_attempts SET succeeded = false WHERE succeeded IS NULL")
    op.execute("ALTER TABLE auth.login_attempts ALTER COLUMN succeeded SET NOT NULL")
    op.execute("ALTER TABLE audit.entries ALTER COLUMN subject_id TYPE varchar(80) USING left(subject_id, 80)")
