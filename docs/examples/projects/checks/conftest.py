"""Mobula's own fixtures serve an application's tests: a clean database, an application over it, people signed in.

From Mobula's root: `.venv/bin/python -m pytest -c docs/examples/projects/pyproject.toml docs/examples/projects/checks`
"""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.client"]
