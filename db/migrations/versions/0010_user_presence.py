"""What users say about themselves, and when they were last active.

Revision ID: 0010_user_presence
Revises: 0009_read_positions
"""

from alembic import op

revision = "0010_user_presence"
down_revision = "0009_read_positions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE app.user_presence (
            user_id text CONSTRAINT pk_user_presence PRIMARY KEY,
            status text NOT NULL DEFAULT '',
            message text NOT NULL DEFAULT '',
            expires_at timestamptz,
            last_active_at timestamptz NOT NULL DEFAULT now()
        ) WITH (fillfactor = 70)
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE app.user_presence")
