"""Users who may not connect to realtime.

Revision ID: 0027_blocked_users
Revises: 0026_replacing
"""

from alembic import op

revision = "0027_blocked_users"
down_revision = "0026_replacing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'token', 'user', 'block'")


def downgrade() -> None:
    op.execute("DELETE FROM auth.token_revocations WHERE kind = 'block'")
    _allow("'token', 'user'")


def _allow(kinds: str) -> None:
    op.execute("ALTER TABLE auth.token_revocations DROP CONSTRAINT ck_token_revocations_kind")
    op.execute(f"ALTER TABLE auth.token_revocations ADD CONSTRAINT ck_token_revocations_kind CHECK (kind IN ({kinds}))")
