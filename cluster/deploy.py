"""Puts our two Serve applications and the supervisor actor on a running Ray cluster.

Runs as its own process (`python -m cluster.deploy …`), because Ray and the applications cost 200 MB and several seconds
to import, which the command does not pay. With `--wait` it imports first and deploys when a line arrives on stdin, so
that importing overlaps with the start of Ray and Postgres. It reports one JSON object per line on stdout.

Redeploying one application leaves the other alone: `api` comes and goes while `realtime` keeps its sockets.
"""

import argparse
import asyncio
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ray
from ray import serve
from ray.serve._private.api import _create_controller_and_proxy_refs
from ray.serve._private.client import ServeControllerClient
from ray.serve.api import RunTarget, run_many
from ray.serve.config import ControllerOptions
from ray.serve.context import _get_global_client, _set_global_client
from ray.serve.exceptions import RayServeException
from ray.serve.schema import ApplicationStatus, ServeStatus

from cluster import logging, names, selftest
from cluster.settings import Settings, get_settings

DEPLOY_LIMIT_S = 180.0
POLL_S = 0.25


class DeployError(Exception):
    """An application does not become healthy; the message carries what its replicas said."""


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """One Serve application: where its builder is and which requests it gets."""

    name: str
    import_path: str
    route_prefix: str


APPLICATIONS = {
    spec.name: spec
    for spec in (
        ApplicationSpec(names.REALTIME_APPLICATION, names.REALTIME_IMPORT_PATH, names.REALTIME_ROUTE_PREFIX),
        ApplicationSpec(names.API_APPLICATION, names.API_IMPORT_PATH, names.API_ROUTE_PREFIX),
    )
}

Report = Callable[..., None]


def load(import_path: str) -> Any:
    """The object that `package.module:name` names."""
    module, _, attribute = import_path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def connect(settings: Settings) -> None:
    """Join the cluster of this checkout, and no other."""
    if not settings.mobula_ray_address:
        raise DeployError("no Ray cluster: run './mobula up' first")
    ray.init(
        address=settings.mobula_ray_address,
        namespace=names.RAY_NAMESPACE,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address=settings.mobula_ray_address.partition(":")[0],
    )


def start_serve(settings: Settings) -> list["ray.ObjectRef[Any]"]:
    """Start Serve's controller and HAProxy, or find them. Returns what is still starting.

    `serve.start` would wait for HAProxy before the first replica may start; here both start at once. The host is
    explicit, because Serve's default is every interface.
    """
    options = {"host": settings.http_host, "port": settings.http_port}
    try:
        _get_global_client()
    except RayServeException:
        controller, starting = _create_controller_and_proxy_refs(
            options, None, None, None, ControllerOptions(), proxy_location="EveryNode"
        )
        _set_global_client(ServeControllerClient(controller))  # type: ignore[no-untyped-call]
        return list(starting or [])
    return []


def deploy(specs: Sequence[ApplicationSpec], *, report: Report) -> None:
    """Deploy these applications together and wait until each runs. Raises DeployError."""
    arguments = {"version": str(time.time_ns())}  # a new version each time, so that a redeploy replaces the replicas
    targets = [
        RunTarget(target=load(spec.import_path)(arguments), name=spec.name, route_prefix=spec.route_prefix)
        for spec in specs
    ]
    run_many(targets, wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
    wait_until_running([spec.name for spec in specs], report=report)


def wait_until_running(applications: Sequence[str], *, report: Report, limit_s: float = DEPLOY_LIMIT_S) -> None:
    """Poll Serve until each application runs. Raises DeployError as soon as one has failed, or at the limit."""
    deadline = time.monotonic() + limit_s
    waiting = list(applications)
    while waiting:
        status = serve.status()
        for name in list(waiting):
            overview = status.applications.get(name)
            if overview is None:
                continue
            if overview.status == ApplicationStatus.RUNNING:
                waiting.remove(name)
                report("running", application=name)
            elif overview.status in (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY):
                raise DeployError(f"application {name} does not start: {why(status, name)}")
        if waiting and time.monotonic() > deadline:
            raise DeployError(
                f"not running after {limit_s:.0f} s: " + "; ".join(f"{n}: {why(status, n)}" for n in waiting)
            )
        if waiting:
            time.sleep(POLL_S)


def why(status: ServeStatus, application: str) -> str:
    """What Serve says about an application and its deployments."""
    overview = status.applications.get(application)
    if overview is None:
        return "unknown to Serve"
    messages = [overview.message, *(deployment.message for deployment in overview.deployments.values())]
    return " ".join(dict.fromkeys(message.strip() for message in messages if message.strip())) or overview.status.value


def ensure_supervisor() -> None:
    """Start the supervisor actor through its handle module, or find it. It brings up shards and agents."""
    result = load(names.SUPERVISOR_IMPORT_PATH)()
    if inspect.isawaitable(result):

        async def finish() -> None:
            await result

        asyncio.run(finish())


def _report(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy what the arguments name. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cluster.deploy")
    parser.add_argument("applications", nargs="*", choices=[*APPLICATIONS, []], help="default: both")
    parser.add_argument("--wait", action="store_true", help="import, then wait for a line on stdin")
    options = parser.parse_args(arguments)
    specs = [APPLICATIONS[name] for name in options.applications or APPLICATIONS]
    changed = selftest.findings()
    if changed:
        _report("failed", message="a detail that Mobula relies on has changed:\n" + "\n".join(changed))
        return 1
    if options.wait:
        for spec in specs:
            load(spec.import_path)
        load(names.SUPERVISOR_IMPORT_PATH)
        _report("imported")
        sys.stdin.readline()
    try:
        settings = get_settings()
        logging.configure(settings, process="deploy")
        connect(settings)
        with ThreadPoolExecutor(1) as beside:
            supervisor = beside.submit(ensure_supervisor)
            starting = start_serve(settings)
            deploy(specs, report=_report)
            ray.wait(starting, num_returns=len(starting), timeout=DEPLOY_LIMIT_S) if starting else None
            supervisor.result()
        _report("supervisor")
    except Exception as problem:  # the parent shows the message; the traceback is in the log
        _report("failed", message=str(problem))
        raise
    _report("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
