"""How the head node was launched, seen from the processes that it left."""

import psutil

from cluster.ray_runtime import processes
from tests.fixtures.stack import RunningStack


async def test_the_node_is_on_loopback_with_the_ports_that_it_was_given(stack: RunningStack) -> None:
    commands = [psutil.Process(one.pid).cmdline() for one in processes.find(stack.paths)]
    raylet = next(command for command in commands if command and command[0].endswith("raylet"))
    given = dict(part.lstrip("-").split("=", 1) for part in raylet if part.startswith("--") and "=" in part)
    assert given["node_ip_address"] == "127.0.0.1"
    assert int(given["node_manager_port"]) == stack.ports.service("node_manager")
    assert (int(given["min_worker_port"]), int(given["max_worker_port"])) == stack.ports.workers


async def test_workers_and_haproxy_are_not_nice(stack: RunningStack) -> None:
    niceness = {
        psutil.Process(one.pid).name(): psutil.Process(one.pid).nice()
        for one in processes.find(stack.paths)
        if psutil.Process(one.pid).name().startswith(("ray::Serve", "haproxy"))
    }
    base = psutil.Process(stack.status["services"]["ray"]["gcs_pid"]).nice()
    assert niceness
    assert set(niceness.values()) == {base}
