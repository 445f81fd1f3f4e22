"""`./mobula load smoke`: twenty people for half a minute, headless; fails when answers fail or a scenario never ran."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtests.stack import Stack

LOCUSTFILE = Path(__file__).resolve().parent / "locustfile.py"
USERS = 20
SECONDS = 30
MAX_FAILURE_RATE = 0.01
"""One request in a hundred: below that is noise of two busy cores, above it something is wrong."""
EXPECTED = ("GET /products", "POST /orders", "connect", "publish", "publish → receive")
"""Exchanges without which the run proved nothing."""
GRACE_S = 60


def judge(entries: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with these statistics; nothing when the run was good."""
    requests = {entry["name"]: int(entry["num_requests"]) for entry in entries}
    total = sum(requests.values())
    failures = sum(int(entry["num_failures"]) for entry in entries)
    problems = [f"never happened: {name}" for name in EXPECTED if not requests.get(name)]
    if not total or failures / total > MAX_FAILURE_RATE:
        problems.append(f"{failures} of {total} requests failed (at most {MAX_FAILURE_RATE:.0%})")
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Locust and judge its statistics. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="mobula load smoke")
    parser.add_argument("--url", default="")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "stats"
        command = [
            *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"),
            *("--host", Stack(options.url).url, "--users", str(options.users), "--spawn-rate", str(options.users / 4)),
            *("--run-time", f"{options.seconds}s", "--stop-timeout", "10", "--exit-code-on-error", "0"),
            *("--json-file", str(written)),
        ]
        limit = options.seconds + GRACE_S
        try:
            finished = subprocess.run(command, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            print(f"load smoke: locust was still running after {limit} s and was ended", file=sys.stderr)
            return 1
        if finished.returncode:
            print(f"locust ended with status {finished.returncode}", file=sys.stderr)
            return 1
        files = sorted(Path(folder).glob("stats*"))
        entries = json.loads(files[0].read_text(encoding="utf-8")) if files else []
    problems = judge(entries)
    for problem in problems:
        print(f"load smoke: {problem}", file=sys.stderr)
    if not problems:
        print(f"load smoke: {sum(int(entry['num_requests']) for entry in entries)} requests, all as they should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
