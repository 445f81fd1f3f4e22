"""How far people have read the channels of durable namespaces; which publication a message became.

Revision ID: 0009_read_positions
Revises: 0008_session_events
"""

from alembic import op

revision = "0009_read_positions"
down_revision = "0008_session_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE app.read_positions (
            channel text NOT NULL,
            user_id text NOT NULL,
            epoch text NOT NULL,
            "offset" bigint NOT NULL,
            read_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_read_positions PRIMARY KEY (channel, user_id)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute("CREATE INDEX ix_read_positions_user_id ON app.read_positions (user_id)")
    op.execute("ALTER TABLE app.messages ADD COLUMN outbox_id bigint")
    op.execute("CREATE INDEX ix_messages_outbox_id ON app.messages (outbox_id) WHERE outbox_id IS NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE app.messages DROP COLUMN outbox_id")
    op.execute("DROP TABLE app.read_positions")
