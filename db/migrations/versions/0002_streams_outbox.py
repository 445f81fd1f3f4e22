"""Durable streams behind fences, and the outbox that numbers itself in commit order.

Revision ID: 0002_streams_outbox
Revises: 0001_initial
"""

from alembic import op

from db.migrations.operations import run_script

revision = "0002_streams_outbox"
down_revision = "0001_initial"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "publish(text, jsonb, jsonb, text)",
    "relay_outbox(bigint, smallint[], text[], integer[], integer[], bigint, integer)",
    "forget_outbox(bigint, smallint[], bigint[])",
    "commit_publications(bigint, smallint[], text[], text[], bigint[], bigint[], bigint[], text[], integer[], "
    "text[], bigint[], text[], bytea[], text[], bigint[], integer[], text[], text[], text[], bigint[])",
    "open_streams(bigint, smallint[], text[], text[], integer[])",
    "take_buckets(smallint[], smallint, text, boolean)",
    "assert_fence(bigint, smallint[])",
)


def upgrade() -> None:
    run_script("0002_streams.sql")
    run_script("0002_outbox.sql")


def downgrade() -> None:
    op.execute("DROP TABLE app.outbox")
    op.execute("DROP FUNCTION app.number_outbox()")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION app.{function}")
    for table in ("publication_keys", "stream_publications", "stream_heads", "stream_buckets"):
        op.execute(f"DROP TABLE app.{table}")
    op.execute("DROP FUNCTION app.namespace_of(text)")
    op.execute("DROP FUNCTION app.bucket_of(text)")
    op.execute("DROP SEQUENCE app.outbox_positions")
    op.execute("DROP SEQUENCE app.stream_fences")
