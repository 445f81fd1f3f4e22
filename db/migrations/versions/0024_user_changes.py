"""The trail of accounts keeps what changed, not the whole row twice.

Revision ID: 0024_user_changes
Revises: 0023_category_versions
"""

from alembic import op

from db.migrations.operations import SQL, run_script, split_statements

revision = "0024_user_changes"
down_revision = "0023_category_versions"
branch_labels = None
depends_on = None

TRIGGER = "CREATE FUNCTION audit.log_user_changes("


def upgrade() -> None:
    run_script("0024_user_changes.sql")


def downgrade() -> None:
    for statement in split_statements((SQL / "0001_functions.sql").read_text(encoding="utf-8")):
        if statement.startswith(TRIGGER):
            op.get_bind().exec_driver_sql(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    op.execute("DROP FUNCTION audit.in_short(jsonb)")
