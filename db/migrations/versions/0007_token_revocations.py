"""Tokens that are void though they have not expired.

Revision ID: 0007_token_revocations
Revises: 0006_maps
"""

from alembic import op

revision = "0007_token_revocations"
down_revision = "0006_maps"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE auth.token_revocations (
    kind text NOT NULL,
    subject text NOT NULL,
    issued_before timestamptz,
    expire_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_token_revocations PRIMARY KEY (kind, subject),
    CONSTRAINT ck_token_revocations_kind CHECK (kind IN ('token', 'user')),
    CONSTRAINT ck_token_revocations_issued_before CHECK ((kind = 'user') = (issued_before IS NOT NULL))
);
CREATE INDEX ix_token_revocations_expire_at ON auth.token_revocations (expire_at);
"""


def upgrade() -> None:
    for statement in _UP.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE auth.token_revocations")
