"""Fixtures for every tier. Each tier uses only what its level of the stack has running."""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.client", "tests.fixtures.stack", "tests.fixtures.command"]
