"""Joining the running cluster as a Ray driver: for what is measured at an actor's API and not through HAProxy."""

import os
from collections.abc import Mapping

from cluster import ports as port_blocks
from cluster.paths import Paths
from cluster.ray_runtime.environment import process_environment
from cluster.settings import Settings
from loadtests.processes import checkout_home
from loadtests.stack import StackNotReady


def read_settings() -> Settings:
    """The settings of the stack that runs in this checkout. Raises StackNotReady."""
    return _settings(_recorded(Paths(checkout_home())))


def _recorded(paths: Paths) -> dict[str, str]:
    try:
        lines = paths.state_env.read_text().splitlines()
    except OSError as error:
        raise StackNotReady(f"no stack has run in {paths.home}: run './mobula up -d' first") from error
    return {name: value.strip().strip("'") for name, _, value in (line.partition("=") for line in lines)}


def _settings(values: Mapping[str, str]) -> Settings:
    return Settings(_env_file=None, **{name.lower(): value for name, value in values.items()})


def join() -> Settings:
    """Make this process a driver of the stack that runs in this checkout; its settings. Raises StackNotReady."""
    paths = Paths(checkout_home())
    values = _recorded(paths)
    ports = port_blocks.recorded(paths.ports_file)
    if ports is None:
        raise StackNotReady(f"no ports are recorded in {paths.home}: run './mobula up -d' first")
    settings = _settings(values)
    base = {**os.environ, **values}
    os.environ.update({**process_environment(base, settings, paths, ports), **values})
    os.environ.pop("RAY_ADDRESS", None)
    import ray

    if not ray.is_initialized():
        ray.init(
            address=f"127.0.0.1:{ports.service('gcs')}",
            namespace="mobula",
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address="127.0.0.1",
        )
    return settings
