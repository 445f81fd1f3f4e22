"""Exports may be Arrow and NDJSON too.

Revision ID: 0018_export_formats
Revises: 0017_job_ends
"""

from alembic import op

revision = "0018_export_formats"
down_revision = "0017_job_ends"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'parquet', 'arrow', 'csv', 'ndjson'")


def downgrade() -> None:
    op.execute("DELETE FROM app.exports WHERE format NOT IN ('parquet', 'csv')")
    _allow("'parquet', 'csv'")


def _allow(formats: str) -> None:
    op.execute("ALTER TABLE app.exports DROP CONSTRAINT ck_exports_format")
    op.execute(f"ALTER TABLE app.exports ADD CONSTRAINT ck_exports_format CHECK (format IN ({formats}))")
