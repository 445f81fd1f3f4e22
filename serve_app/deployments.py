"""The two Serve applications. `cluster.deploy` finds the builders by import string and calls them.

They are separate so that redeploying `api` leaves the sockets of `realtime` alone (DESIGN D8). The ASGI applications
are built in the replica: an instance cannot be pickled, and settings are the replica's own.
"""

from collections.abc import Mapping
from typing import Any, Final

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from cluster import garbage, telemetry
from cluster.ray_runtime.loopback import keep_replica_grpc_local
from cluster.settings import Settings, get_settings
from serve_app.edge import scaling
from serve_app.edge.ongoing import ONGOING
from serve_app.edge.scaling import Busyness

keep_replica_grpc_local(get_settings().http_host)

MAX_ONGOING_REQUESTS: Final = 100_000
"""Serve's own bound of 5 would make the sixth handshake hang; our caps answer clearly (DESIGN D10)."""

REPLICA_CPUS: Final = 0.01
"""Replicas are placed by count; Ray must not refuse one on a small machine."""

AFTER_WINDOW_S: Final = 120
"""How long requests that are still running after the drain window may take (DESIGN §5, 21)."""


class ApiReplica:
    """One process of the api application."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._busyness = Busyness()
        telemetry.start(get_settings(), process="api")

    def __serve_build_asgi_app__(self) -> Any:
        """What Serve serves; called in the replica."""
        from serve_app.app import build_app  # noqa: PLC0415 - the deploying process must not load the whole application

        app = build_app(get_settings())
        garbage.settle()
        return app

    async def check_health(self) -> None:
        """Serve's probe: the event loop answers. Whether services do is /health's matter, not the replica's."""

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Requests in flight, which Serve cannot see (the edge answers them), and how busy the process is."""
        return {scaling.REQUESTS: float(ONGOING.requests), scaling.BUSY: self._busyness.take()}


class RealtimeReplica:
    """One process of the realtime application."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._application: Any = None
        telemetry.start(get_settings(), process="realtime")

    def __serve_build_asgi_app__(self) -> Any:
        """What Serve serves; called in the replica."""
        from serve_app.realtime.backends import build_application  # noqa: PLC0415 - as above

        self._application = build_application(get_settings())
        garbage.settle()
        return self._application

    async def check_health(self) -> None:
        """Serve's probe. Raises when the hub is gone, so that the replica is replaced."""
        if self._application is not None and self._application.hub is None:
            raise RuntimeError("the hub is not running")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Open sockets, which Serve cannot see (the edge answers them)."""
        hub = self._application.hub if self._application is not None else None
        return {"connections": float(hub.connections if hub is not None else 0)}


def api(args: Mapping[str, Any]) -> Application:
    """The api application. `args["version"]`: another value replaces the replicas."""
    settings = get_settings()
    if not settings.api_replicas_max:
        return _application(ApiReplica, "api", settings, args, num_replicas=settings.api_replicas)
    scale = AutoscalingConfig(
        min_replicas=settings.api_replicas,
        max_replicas=settings.api_replicas_max,
        upscale_delay_s=scaling.CHANGE_AT_MOST_EVERY_S,
        downscale_delay_s=scaling.CHANGE_AT_MOST_EVERY_S,
        policy=AutoscalingPolicy(policy_function=scaling.replicas_for_load),  # type: ignore[no-untyped-call]  # Serve's
    )
    return _application(ApiReplica, "api", settings, args, autoscaling_config=scale)


def realtime(args: Mapping[str, Any]) -> Application:
    """The realtime application: a fixed number of replicas, because every change of members moves sockets."""
    settings = get_settings()
    return _application(RealtimeReplica, "realtime", settings, args, num_replicas=settings.realtime_replicas)


def _application(
    replica: type[Any], name: str, settings: Settings, args: Mapping[str, Any], **members: Any
) -> Application:
    deployment = serve.deployment(
        name=name,
        **members,
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        ray_actor_options={"num_cpus": REPLICA_CPUS},
        max_surge_percent=100,  # start the new ones before the old ones stop
        graceful_shutdown_timeout_s=settings.drain_seconds + AFTER_WINDOW_S,
        graceful_shutdown_wait_loop_s=1.0,
        health_check_period_s=5.0,
        health_check_timeout_s=30.0,
        logging_config={"enable_access_log": False},
    )(serve.ingress()(replica))
    return deployment.bind(str(args.get("version", "")))
