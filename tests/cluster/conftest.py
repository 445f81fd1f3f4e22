"""The first test of this tier waits for the whole stack to start; that counts towards its time."""

from pathlib import Path

import pytest

FIRST_TEST_S = 600
HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow for it wherever a test says nothing else."""
    for item in items:
        if HERE in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIRST_TEST_S))
