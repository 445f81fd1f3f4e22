"""What every command needs to know first: whose state, and whether the stack runs."""

import os
from pathlib import Path
from typing import Any

import typer

from cluster import ports
from cluster.cli.printing import fail
from cluster.paths import Paths
from cluster.ray_runtime.environment import process_environment
from cluster.settings import ROOT, Settings
from cluster.stack import daemon_state
from cluster.stack.frontend import Frontend
from cluster.stack.plan import Options, make


def home() -> Path:
    """MOBULA_HOME, or `.mobula` in the checkout."""
    return Path(os.environ.get("MOBULA_HOME") or ROOT / ".mobula").resolve()


def require_stack() -> dict[str, Any]:
    """The status of the running stack; ends the command with a sentence when there is none."""
    paths = Paths(home())
    status = daemon_state.read_status(paths)
    if daemon_state.holder(paths) is None or not status:
        fail("Mobula does not run here: ./mobula up -d")
        raise typer.Exit(1)
    return status


def stack_environment() -> dict[str, str]:
    """The environment of this checkout's processes, for a command that joins them."""
    paths = Paths(home())
    recorded = ports.recorded(paths.ports_file)
    if recorded is None:
        return dict(os.environ)
    os.environ["MOBULA_HOME"] = str(paths.home)
    env = process_environment(os.environ, Settings(), paths, recorded)
    return {**env, **running_environment(paths)}


def running_environment(paths: Paths) -> dict[str, str]:
    """ENVIRONMENT as the running stack has it, whatever the caller's shell or `.env` says; nothing when none runs."""
    status = daemon_state.read_status(paths)
    if daemon_state.holder(paths) is None or "environment" not in status:
        return {}
    return {"ENVIRONMENT": str(status["environment"])}


def frontend() -> Frontend:
    """This checkout's front end, for installing and building it without starting anything."""
    plan = make(Options(home=home()), record=False)
    return Frontend(plan.paths, plan.ports, plan.env)
