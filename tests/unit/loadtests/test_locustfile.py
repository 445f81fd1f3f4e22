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


REFUSED = """
import sys
sys.path.insert(0, sys.argv[1])
import locustfile

class Answer:
    ok, status_code = False, 429

class Client:
    def post(self, path, **_):
        print(path)
        return Answer()

try:
    locustfile.sign_up(Client())
except locustfile.StopUser:
    print("stopped")
"""


def test_who_may_not_register_does_not_try_to_sign_in() -> None:
    command = [sys.executable, "-c", REFUSED, str(LOCUSTFILE.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["/api/v1/auth/register", "stopped"]
