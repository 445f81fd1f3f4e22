"""Buckets move from one broker shard to another.

Revision ID: 0011_bucket_moves
Revises: 0010_user_presence
"""

from alembic import op

from db.migrations.operations import run_script

revision = "0011_bucket_moves"
down_revision = "0010_user_presence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0011_moves.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION app.move_buckets(bigint, smallint[], smallint, text)")
    op.execute("DROP FUNCTION app.take_shard(smallint, text, smallint[], boolean)")
