"""Ray's head on a running stack: where it listens, and what a killed GCS costs."""

import os
import signal
import subprocess
import sys

import httpx
import psutil
import ray

from cluster.ray_runtime import processes
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually


async def test_nothing_listens_beyond_loopback(stack: RunningStack) -> None:
    listening = {
        (psutil.Process(one.pid).name(), connection.laddr.ip)
        for one in processes.find(stack.paths)
        for connection in psutil.Process(one.pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert {(name, ip) for name, ip in listening if ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")} == set()


async def test_every_port_is_of_this_checkouts_block(stack: RunningStack) -> None:
    ports = {
        connection.laddr.port
        for one in processes.find(stack.paths)
        for connection in psutil.Process(one.pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    kernels_choice = range(32_768, 61_000)  # replicas' own gRPC server, of which Serve lets nobody choose the port
    assert {port for port in ports - stack.ports.everything if port not in kernels_choice} == set()


async def test_a_laptop_runs_neither_dashboard_nor_ray_client(stack: RunningStack) -> None:
    commands = [" ".join(psutil.Process(one.pid).cmdline()) for one in processes.find(stack.paths)]
    assert not [line for line in commands if "dashboard/dashboard.py" in line or "ray.util.client.server" in line]


async def test_a_stranger_without_the_token_cannot_join(stack: RunningStack) -> None:
    env = {name: value for name, value in stack.env.items() if "TOKEN" not in name} | {"RAY_AUTH_TOKEN": "f" * 64}
    program = f"import ray; ray.init(address='{stack.ray_address}', _node_ip_address='127.0.0.1'); print('joined')"
    stranger = subprocess.Popen(
        [sys.executable, "-u", "-c", program], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert stranger.stdout is not None
        # Ray goes on trying for minutes; the first refusal is enough.
        verdict = next(line for line in stranger.stdout if "InvalidAuthToken" in line or line == "joined\n")
    finally:
        stranger.kill()
        stranger.wait()
    assert "InvalidAuthToken" in verdict


async def test_after_a_kill_of_the_gcs_everything_works(stack: RunningStack) -> None:
    before = stack.status["services"]["ray"]
    os.kill(before["gcs_pid"], signal.SIGKILL)
    await eventually(lambda: stack.status["services"]["ray"]["gcs_restarts"] > before["gcs_restarts"], 30)
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=10) as client:
        assert (await client.get("/api/v1/products")).status_code == 200

        async def healthy() -> bool:
            return (await client.get("/health")).status_code == 200

        await eventually(healthy, 60, retry_on=(httpx.HTTPError,))
    # Names are found and new actors start: the tables came back.
    stack.connect_ray()
    named = {one["name"] for one in ray.util.list_named_actors(all_namespaces=True)}
    assert "SERVE_CONTROLLER_ACTOR" in named
    assert "mobula:supervisor" in named

    @ray.remote(num_cpus=0)
    def answer() -> int:
        return 42

    assert await answer.remote() == 42
