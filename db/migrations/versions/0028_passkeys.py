"""Passkeys are offered: challenges that are signed once, and whether a key may be synced.

Revision ID: 0028_passkeys
Revises: 0027_blocked_users
"""

from alembic import op

revision = "0028_passkeys"
down_revision = "0027_blocked_users"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE auth.webauthn_challenges (
            challenge_sha256 BYTEA NOT NULL,
            user_id UUID,
            created_at timestamptz DEFAULT clock_timestamp() NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_webauthn_challenges PRIMARY KEY (challenge_sha256),
            CONSTRAINT fk_webauthn_challenges_user_id FOREIGN KEY(user_id) REFERENCES auth.users (id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX ix_webauthn_challenges_user_id ON auth.webauthn_challenges (user_id)")
    op.execute("CREATE INDEX ix_webauthn_challenges_expires_at ON auth.webauthn_challenges (expires_at)")
    op.execute("ALTER TABLE auth.webauthn_credentials ADD COLUMN backup_eligible BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE auth.webauthn_credentials DROP COLUMN backup_eligible")
    op.execute("DROP TABLE auth.webauthn_challenges")
