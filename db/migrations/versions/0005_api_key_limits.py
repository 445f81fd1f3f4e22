"""API keys limited to realtime methods and namespaces, and replaced with an overlap.

Revision ID: 0005_api_key_limits
Revises: 0004_caches_exports
"""

from alembic import op

revision = "0005_api_key_limits"
down_revision = "0004_caches_exports"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE auth.api_keys
    ADD COLUMN methods text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN namespaces text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN replaces uuid
        CONSTRAINT fk_api_keys_replaces REFERENCES auth.api_keys (id) ON DELETE SET NULL;
CREATE INDEX ix_api_keys_replaces ON auth.api_keys (replaces);
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE auth.api_keys DROP COLUMN replaces, DROP COLUMN namespaces, DROP COLUMN methods")
