"""Memory of processes."""

import psutil

from loadtests.bench_connections import private_bytes


def test_private_memory_adds_up() -> None:
    this = psutil.Process()
    assert private_bytes([this, this]) >= 2 * 1_000_000
    assert private_bytes([]) == 0
