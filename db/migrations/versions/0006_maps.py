"""Keys of persistent maps beside their streams, and changes of keys from inside transactions.

Revision ID: 0006_maps
Revises: 0005_api_key_limits
"""

from alembic import op

from db.migrations.operations import run_script

revision = "0006_maps"
down_revision = "0005_api_key_limits"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "relay_outbox_with_keys(bigint, smallint[], text[], integer[], integer[], bigint, integer)",
    "map_remove(text, text, text)",
    "map_publish(text, text, jsonb, bigint, jsonb, text)",
    "clear_map(bigint, smallint[], text, text)",
    "write_map_keys(text[], text[], boolean[], bigint[], bytea[], text[], bigint[], bigint[], text[], bigint[])",
)


def upgrade() -> None:
    run_script("0006_maps.sql")


def downgrade() -> None:
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION app.{function}")
    op.execute("DROP TABLE app.map_keys")
