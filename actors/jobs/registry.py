"""Find the kinds of jobs, which the room above declares."""

import importlib
from typing import Any

from actors.jobs.contract import Registry, Runner
from cluster.names import JOB_REGISTRY_IMPORT_PATH, JOB_RUNNER_IMPORT_PATH


def load(import_string: str) -> Any:
    """Import `module:name`."""
    module, _, name = import_string.partition(":")
    return getattr(importlib.import_module(module), name)


def load_registry() -> Registry:
    """All kinds and schedules. Imports no handler."""
    registry = load(JOB_REGISTRY_IMPORT_PATH)
    if not isinstance(registry, Registry):
        raise TypeError(f"{JOB_REGISTRY_IMPORT_PATH} is no Registry")
    return registry


def load_runner() -> type[Runner]:
    """The class that runs handlers."""
    runner: type[Runner] = load(JOB_RUNNER_IMPORT_PATH)
    return runner
