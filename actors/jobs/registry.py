"""Find the kinds of jobs, which the room above declares."""

import importlib
from collections.abc import Mapping
from typing import Any

from actors.jobs.contract import InvalidPolicy, QueuePolicy, Registry, Runner
from cluster.names import JOB_REGISTRY_IMPORT_PATH, JOB_RUNNER_IMPORT_PATH
from cluster.settings import Settings


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


def load_policies(registry: Registry, settings: Settings) -> Mapping[str, QueuePolicy]:
    """The policies of queues. Raises InvalidPolicy."""
    policies = registry.policies(settings)
    check_policies(policies)
    return policies


def load_runner() -> type[Runner]:
    """The class that runs handlers."""
    runner: type[Runner] = load(JOB_RUNNER_IMPORT_PATH)
    return runner


def check_policies(policies: Mapping[str, QueuePolicy]) -> None:
    """Raise InvalidPolicy, which names the queue and what is wrong."""
    for queue, policy in policies.items():
        bounds = {"limit": policy.limit, "limit_per_key": policy.limit_per_key}
        for rate, name in ((policy.rate, "rate"), (policy.rate_per_key, "rate_per_key")):
            if rate is not None:
                bounds |= {f"{name}.starts": rate.starts, f"{name}.burst": rate.burst}
                if not 0 < rate.per_s < float("inf"):
                    raise InvalidPolicy(f"queue {queue!r}: {name}.per_s is {rate.per_s}; it is a number of seconds")
        for name, bound in bounds.items():
            if bound is not None and (not isinstance(bound, int) or bound < 1):
                raise InvalidPolicy(f"queue {queue!r}: {name} is {bound!r}; it is a whole number from 1, or left out")
        if policy.limit is not None and policy.limit_per_key is not None and policy.limit_per_key > policy.limit:
            raise InvalidPolicy(
                f"queue {queue!r}: limit_per_key {policy.limit_per_key} is more than limit {policy.limit}"
                " and can never be reached"
            )
