"""The scenarios load. In a process of their own: Locust patches the standard library when it is imported."""

import subprocess
import sys
from pathlib import Path

LOCUSTFILE = Path(__file__).resolve().parents[3] / "loadtests" / "locustfile.py"


def test_locust_finds_both_users() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--list"], capture_output=True, text=True, check=True
    )
    assert {"Shopper", "Talker"} <= set(listed.stdout.split())
