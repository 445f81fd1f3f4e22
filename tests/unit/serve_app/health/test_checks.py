"""What healthy means."""

import pytest

from serve_app.health.checks import worst
from serve_app.health.schemas import Check


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["healthy", "healthy"], "healthy"),
        (["healthy", "degraded"], "degraded"),
        (["unhealthy", "degraded"], "unhealthy"),
        ([], "healthy"),
    ],
)
def test_the_worst_part_decides(statuses: list[str], whole: str):
    checks = {str(number): Check(status=status, latency_ms=None) for number, status in enumerate(statuses)}
    assert worst(checks) == whole
