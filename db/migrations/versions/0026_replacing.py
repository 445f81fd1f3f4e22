"""A publication of a transaction may take the place of an earlier one in the channel's history.

Revision ID: 0026_replacing
Revises: 0025_lookups
"""

from alembic import op

from db.migrations.operations import run_script

revision = "0026_replacing"
down_revision = "0025_lookups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0026_replacing.sql")


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION app.relay_publications(bigint, smallint[], text[], integer[], integer[], bigint, integer)"
    )
    op.execute("DROP FUNCTION app.replace_publication(text, bigint, jsonb)")
