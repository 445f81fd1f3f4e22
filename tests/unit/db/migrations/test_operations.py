"""Cutting SQL files into statements."""

import pytest

from db.migrations.operations import SQL, split_statements


def test_statements_end_at_semicolons_outside_bodies() -> None:
    script = """
-- A comment before a statement belongs to nobody.
CREATE TABLE a (
    b text DEFAULT 'x;y' -- and this one stays
);
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1;
    PERFORM 2;
END
$$;
SELECT 1;
"""
    statements = split_statements(script)
    assert [statement.split()[0:2] for statement in statements] == [
        ["CREATE", "TABLE"],
        ["CREATE", "FUNCTION"],
        ["SELECT", "1"],
    ]
    assert statements[1].count(";") == 2
    assert not any(statement.endswith(";") for statement in statements)


def test_a_statement_without_an_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="without an end"):
        split_statements("SELECT 1")


def test_every_script_can_be_cut() -> None:
    for script in SQL.glob("0001_*.sql"):
        assert split_statements(script.read_text(encoding="utf-8"))
