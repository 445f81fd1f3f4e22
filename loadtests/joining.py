"""Joining the running cluster as a Ray driver: for what is measured at an actor's API and not through HAProxy."""

import os

from cluster import ports as port_blocks
from cluster.paths import Paths
from cluster.ray_runtime.environment import process_environment
from cluster.settings import Settings
from loadtests.processes import checkout_home
from loadtests.stack import StackNotReady


def join() -> Settings:
    """Make this process a driver of the stack that runs in this checkout; its settings. Raises StackNotReady."""
    paths = Paths(checkout_home())
    try:
        lines = paths.state_env.read_text().splitlines()
    except OSError as error:
        raise StackNotReady(f"no stack has run in {paths.home}: run './mobula up -d' first") from error
    values = {name: value.strip().strip("'") for name, _, value in (line.partition("=") for line in lines)}
    ports = port_blocks.recorded(paths.ports_file)
    if ports is None:
        raise StackNotReady(f"no ports are recorded in {paths.home}: run './mobula up -d' first")
    settings = Settings(_env_file=None, **{name.lower(): value for name, value in values.items()})
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
