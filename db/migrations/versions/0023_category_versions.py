"""Categories are written over REST, so they have a version as products do.

Revision ID: 0023_category_versions
Revises: 0020_export_parts
"""

from alembic import op

revision = "0023_category_versions"
down_revision = "0020_export_parts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE app.categories ADD COLUMN version integer DEFAULT 1 NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE app.categories DROP COLUMN version")
