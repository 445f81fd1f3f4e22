"""Alembic's home: env.py, revisions in `versions/`, longer SQL in `sql/`."""
