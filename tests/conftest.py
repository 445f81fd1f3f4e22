"""Fixtures for every tier. Each tier uses only what its level of the stack has running."""

import os

from hypothesis import settings

# Read when Ray is imported, which collecting a test module may do. As in every process of a stack.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

# A test that fails because the machine was busy says nothing about what it tests.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.client", "tests.fixtures.stack", "tests.fixtures.command"]
