"""Publications of transactions may exclude and have versions; changes of maps keep to their rules.

Revision ID: 0012_transactional
Revises: 0011_bucket_moves
"""

from collections.abc import Iterator

from alembic import op

from db.migrations.operations import SQL, run_script, split_statements

revision = "0012_transactional"
down_revision = "0011_bucket_moves"
branch_labels = None
depends_on = None

REPLACED = {
    "0002_outbox.sql": ("publish", "relay_outbox"),
    "0006_maps.sql": ("map_publish", "relay_outbox_with_keys"),
}
"""Functions as they were, by the script that made them."""


def upgrade() -> None:
    run_script("0012_transactional.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION app.map_publish(text, text, jsonb, bigint, jsonb, text, text, bigint, text, integer)")
    op.execute("DROP FUNCTION app.publish(text, jsonb, jsonb, text, text[], text[], bigint, text)")
    op.execute("DROP FUNCTION app.publication_attributes(jsonb, text[], text[], bigint, text)")
    op.execute("DROP FUNCTION app.relay_outbox(bigint, smallint[], text[], integer[], integer[], bigint, integer)")
    for statement in _as_they_were():
        op.get_bind().exec_driver_sql(statement)


def _as_they_were() -> Iterator[str]:
    for script, functions in REPLACED.items():
        for statement in split_statements((SQL / script).read_text(encoding="utf-8")):
            if any(f"FUNCTION app.{function}(" in statement.splitlines()[0] for function in functions):
                yield statement
