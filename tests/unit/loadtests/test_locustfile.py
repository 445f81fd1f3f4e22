"""The scenarios load. In a process of their own: Locust patches the standard library when it is imported."""

import importlib.util
import subprocess
import sys
from pathlib import Path

LOCUSTFILE = Path(__file__).resolve().parents[3] / "loadtests" / "locustfile.py"


def test_locust_finds_both_users() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--list"], capture_output=True, text=True, check=True
    )
    assert {"Shopper", "Talker"} <= set(listed.stdout.split())


def test_no_module_beside_it_shadows_another() -> None:
    """Locust puts this folder first on the path: a `websocket.py` here would be imported instead of the library."""
    beside = {path.stem for path in LOCUSTFILE.parent.glob("*.py")} - {"__init__", "locustfile"}
    taken = {name for name in beside if importlib.util.find_spec(name) is not None}
    assert not taken | (beside & sys.stdlib_module_names)
