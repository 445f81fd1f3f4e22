"""What the edge needs to know about the Serve replica that it runs in.

The middleware wraps `Replica._direct_ingress_asgi`, a bound method, so the replica is behind it. These are private
names of the pinned Ray version; `missing_attributes` says which of them a changed Ray no longer has.
"""

import sys
from typing import Any, Final

from starlette.types import ASGIApp

REPLICA_MODULE: Final = "ray.serve._private.replica"
READ: Final = ("_deployment_id", "_user_callable_initialized", "_user_callable_asgi_app", "_shutting_down")


class OwnReplica:
    """The replica that this process is."""

    def __init__(self, replica: Any) -> None:
        self._replica = replica

    @classmethod
    def behind(cls, app: Any) -> "OwnReplica | None":
        """Find it behind Serve's own middleware; None in a process that is no replica (the fallback proxy)."""
        module = sys.modules.get(REPLICA_MODULE)  # a replica has it; nobody else needs to import it
        inner = getattr(app, "_app", app)
        owner = getattr(inner, "__self__", None)
        return cls(owner) if module is not None and isinstance(owner, module.Replica) else None

    @property
    def application(self) -> str:
        """The Serve application that it belongs to."""
        return str(self._replica._deployment_id.app_name)

    @property
    def asgi_app(self) -> ASGIApp | None:
        """What it serves, once initialised."""
        if not self._replica._user_callable_initialized:
            return None
        app: ASGIApp | None = self._replica._user_callable_asgi_app
        return app

    @property
    def is_shutting_down(self) -> bool:
        """Serve has begun to stop it: health checks fail, and it stays reachable for the drain window."""
        return bool(self._replica._shutting_down)


def missing_attributes(source: str) -> list[str]:
    """Names that we read and that the source of Ray's replica module does not assign."""
    return [name for name in (*READ, "_direct_ingress_asgi") if f"self.{name}" not in source]
