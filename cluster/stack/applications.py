"""Runs cluster/deploy.py, the seed and alembic as processes of their own and relays what they say."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.services.errors import ServiceError, tail
from cluster.services.process import run_to_end
from cluster.settings import ROOT
from cluster.stack.progress import Progress

STEP = "Applications"


class Deployment:
    """A deploy process that imports while Ray still starts, and deploys on `go()`."""

    def __init__(self, env: Mapping[str, str], log_file: Path, applications: Sequence[str] = ()) -> None:
        self._log_file = log_file
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cluster.deploy", "--wait", *applications],
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The deploy process."""
        return self._process.pid

    def go(self, progress: Progress) -> None:
        """Deploy and wait. Raises ServiceError with what the applications said."""
        message = ""
        if self._process.stdin is None or self._process.stdout is None:
            raise ServiceError("the deploy process has no pipes")
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died while importing; its log says why
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") == "running":
                progress.note(STEP, f"{event['application']} runs")
            elif event.get("event") == "failed":
                message = str(event.get("message", ""))
        status = self._process.wait()
        if status != 0:
            raise ServiceError(message or f"deploying failed; the end of {self._log_file}:\n{tail(self._log_file, 20)}")

    def kill(self) -> None:
        """End it without waiting; safe in a signal handler, also while `go` waits. Its `go` raises ServiceError."""
        self._process.kill()

    def cancel(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def run_module(module: str, arguments: Sequence[str], env: Mapping[str, str], log_file: Path) -> str:
    """Run `python -m module …` to its end. Returns its last line. Raises ServiceError with the end of its log."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if run_to_end([sys.executable, "-m", module, *arguments], env=env, log_file=log_file, cwd=ROOT) != 0:
        raise ServiceError(f"{module} failed; the end of {log_file}:\n{tail(log_file, 20)}")
    lines = log_file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
