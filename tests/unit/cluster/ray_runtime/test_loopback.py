import pytest
from ray.serve._private import replica

from cluster.ray_runtime.loopback import is_loopback, keep_replica_grpc_local


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr(replica, "add_port_to_grpc_server", lambda _server, address: addresses.append(address))
    return addresses


def test_a_replica_binds_to_loopback_when_http_does(asked: list[str]) -> None:
    assert keep_replica_grpc_local("127.0.0.1")
    assert keep_replica_grpc_local("127.0.0.1")  # twice is once
    replica.add_port_to_grpc_server(None, "[::]:0")
    replica.add_port_to_grpc_server(None, "10.0.0.1:7000")
    assert asked == ["127.0.0.1:0", "10.0.0.1:7000"]


def test_a_cluster_of_several_machines_is_left_alone(asked: list[str]) -> None:
    assert not keep_replica_grpc_local("0.0.0.0")
    replica.add_port_to_grpc_server(None, "[::]:0")
    assert asked == ["[::]:0"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_what_only_this_machine_reaches_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "db.internal", ""])
def test_everything_else_is_not(host: str) -> None:
    assert not is_loopback(host)
