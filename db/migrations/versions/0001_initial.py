"""Schemas, functions, accounts, catalogue, orders, conversations, events and the audit trail.

Revision ID: 0001_initial
Revises:
"""

from alembic import op

from db.migrations.operations import ensure_extension, has_extension, run_script, server_version

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0001_functions.sql", new_id="uuidv7" if server_version() >= 18 else "gen_random_uuid")
    _make_uuid_generate_v4()
    run_script("0001_auth.sql")
    run_script("0001_app.sql")
    run_script("0001_audit.sql")
    run_script("0001_roles.sql")
    _make_search_indexes()


def downgrade() -> None:
    op.execute("DROP TRIGGER users_audit ON auth.users")
    for schema in ("app", "audit", "auth", "jobs"):
        # CASCADE, because every table's default calls app.new_id(); later revisions are already undone.
        op.execute(f"DROP SCHEMA {schema} CASCADE")
    if not has_extension("uuid-ossp"):
        op.execute("DROP FUNCTION IF EXISTS public.uuid_generate_v4()")


def _make_uuid_generate_v4() -> None:
    """The function that applications written for uuid-ossp call, with or without the extension."""
    if not ensure_extension("uuid-ossp"):
        op.execute(
            "CREATE OR REPLACE FUNCTION public.uuid_generate_v4() RETURNS uuid "
            "LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT gen_random_uuid()'"
        )


def _make_search_indexes() -> None:
    """Trigram search for people and products; words and prefixes where the server has no pg_trgm."""
    live = "WHERE deleted_at IS NULL"
    # Words, on every server: products are found by what their description says.
    op.execute(
        "CREATE INDEX search_products_words ON app.products "
        f"USING gin (to_tsvector('simple', name || ' ' || description)) {live}"
    )
    targets = (
        ("auth.users", "email"),
        ("auth.users", "username"),
        ("auth.users", "full_name"),
        ("app.products", "name"),
    )
    trigram = ensure_extension("pg_trgm")
    for table, column in targets:
        name = f"search_{table.split('.')[1]}_{column}"
        if trigram:
            op.execute(f"CREATE INDEX {name} ON {table} USING gin (lower({column}) gin_trgm_ops) {live}")
        else:
            op.execute(f"CREATE INDEX {name} ON {table} (lower({column}) text_pattern_ops) {live}")
    if ensure_extension("btree_gin"):
        op.execute(f"CREATE INDEX search_products_shelf ON app.products USING gin (category_id, attributes) {live}")
    else:
        op.execute(f"CREATE INDEX search_products_shelf ON app.products (category_id) {live}")
