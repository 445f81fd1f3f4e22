"""What is loopback, and keeps the gRPC server that every Serve replica opens off the network.

Serve binds it to every interface, on a random port, for calls between replicas, which we do not make. Called while a
replica imports its deployment, which is before Serve opens the port.
"""

from ipaddress import ip_address
from typing import Any


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def keep_replica_grpc_local(http_host: str) -> bool:
    """Bind that server to loopback when HTTP is on loopback too. Returns whether it does."""
    if not is_loopback(http_host):
        return False
    from ray.serve._private import replica  # noqa: PLC0415 - only where Serve is loaded anyway

    serve_replica: Any = replica
    original = serve_replica.add_port_to_grpc_server
    if getattr(original, "is_local", False):
        return True

    def local(server: Any, address: str) -> Any:
        host, _, port = address.rpartition(":")
        return original(server, f"127.0.0.1:{port}" if host in ("[::]", "0.0.0.0") else address)  # noqa: S104

    local.is_local = True  # type: ignore[attr-defined]
    serve_replica.add_port_to_grpc_server = local
    return True
