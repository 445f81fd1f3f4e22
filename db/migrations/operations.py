"""Building blocks of revisions: SQL files, permissions, and extensions that a server may lack."""

from collections.abc import Iterable
from pathlib import Path

from alembic import op
from sqlalchemy import text

SQL = Path(__file__).parent / "sql"

DEPENDS_ON_SERVER = "search_"
"""Indexes named so exist in a form that depends on the server's extensions. Models do not declare them and
`alembic check` leaves them alone (see env.py)."""


def run_script(name: str, **values: str) -> None:
    """Execute the statements of `sql/<name>` one by one; `{key}` placeholders are replaced by `values`."""
    script = (SQL / name).read_text(encoding="utf-8")
    for key, value in values.items():
        script = script.replace("{" + key + "}", value)
    connection = op.get_bind()
    for statement in split_statements(script):
        connection.exec_driver_sql(statement)


def split_statements(script: str) -> list[str]:
    """Cut at semicolons that end a line, outside `$$` bodies. Drivers take one statement at a time."""
    statements: list[str] = []
    lines: list[str] = []
    in_body = False
    for line in script.splitlines():
        if not in_body and (not line.strip() or (not lines and line.lstrip().startswith("--"))):
            continue
        lines.append(line)
        if line.count("$$") % 2:
            in_body = not in_body
        if not in_body and line.rstrip().endswith(";"):
            statements.append("\n".join(lines).rstrip().rstrip(";"))
            lines = []
    if lines:
        raise ValueError(f"statement without an end: {lines[0]}")
    return statements


def add_permission(name: str, description: str, *, roles: Iterable[str] = ()) -> None:
    """A permission of `db.auth.permissions`, held by the administrators and by `roles` from this revision on."""
    connection = op.get_bind()
    added = {"name": name, "description": description, "roles": ["admin", *roles]}
    connection.execute(text("INSERT INTO auth.permissions (name, description) VALUES (:name, :description)"), added)
    connection.execute(
        text(
            "INSERT INTO auth.role_permissions (role_id, permission) "
            "SELECT id, :name FROM auth.roles WHERE name = ANY (:roles)"
        ),
        added,
    )


def drop_permission(name: str) -> None:
    """Undo `add_permission`, whoever has been granted it since."""
    connection = op.get_bind()
    connection.execute(text("DELETE FROM auth.role_permissions WHERE permission = :name"), {"name": name})
    connection.execute(text("DELETE FROM auth.permissions WHERE name = :name"), {"name": name})


def server_version() -> int:
    """Major version, such as 15 or 18."""
    return int(op.get_bind().execute(text("SELECT current_setting('server_version_num')::int")).scalar_one()) // 10_000


def has_extension(name: str) -> bool:
    """Whether `name` is installed in this database."""
    return bool(op.get_bind().execute(text("SELECT 1 FROM pg_extension WHERE extname = :name"), {"name": name}).first())


def ensure_extension(name: str) -> bool:
    """Install `name` where the server offers it and the role may. Says whether it is there now."""
    connection = op.get_bind()
    offered = connection.execute(text("SELECT 1 FROM pg_available_extensions WHERE name = :name"), {"name": name})
    if offered.first() is None:
        return False
    quoted = name.replace('"', '""')
    connection.exec_driver_sql(
        f'DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS "{quoted}"; '
        "EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN NULL; END $$"
    )
    return has_extension(name)
