"""The durable roster of connections and the events that come of it.

Revision ID: 0008_session_events
Revises: 0007_token_revocations
"""

from alembic import op

from db.migrations.operations import run_script

revision = "0008_session_events"
down_revision = "0007_token_revocations"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "expire_session_hub(text, bigint, integer, uuid)",
    "record_sessions(text, bigint, uuid, boolean[], text[], text[], text[], text[], smallint[], integer[], bigint[], "
    "bytea[], bytea[])",
    "wake_session_events(uuid)",
)
TABLES = ("session_event_handlers", "session_events", "session_channels", "session_roster", "session_hubs")


def upgrade() -> None:
    run_script("0008_session_events.sql")


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION app.{function}")
    for table in TABLES:
        op.execute(f"DROP TABLE app.{table}")
