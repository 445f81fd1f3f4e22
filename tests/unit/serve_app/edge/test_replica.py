import inspect
from types import SimpleNamespace

from ray.serve._private import replica as ray_replica

from serve_app.edge.replica import OwnReplica, missing_attributes


def test_the_installed_ray_still_has_what_the_edge_reads() -> None:
    assert missing_attributes(inspect.getsource(ray_replica)) == []


def test_a_changed_ray_is_noticed() -> None:
    assert "_shutting_down" in missing_attributes("self._deployment_id = 1")


class FakeReplica(ray_replica.Replica):
    def __init__(self) -> None:
        self._deployment_id = SimpleNamespace(app_name="api")  # type: ignore[assignment]
        self._user_callable_initialized = False
        self._user_callable_asgi_app = "app"  # type: ignore[assignment]
        self._shutting_down = False


def test_the_replica_is_found_behind_serves_middleware_once_it_is_initialised() -> None:
    replica = FakeReplica()
    found = OwnReplica.behind(SimpleNamespace(_app=replica._direct_ingress_asgi))
    assert found is not None
    assert found.application == "api"
    assert found.asgi_app is None
    replica._user_callable_initialized = True
    assert found.asgi_app == "app"  # type: ignore[comparison-overlap]
    assert not found.is_shutting_down
    replica._shutting_down = True
    assert found.is_shutting_down


def test_other_processes_are_no_replica() -> None:
    assert OwnReplica.behind(SimpleNamespace(_app=SimpleNamespace())) is None
    assert OwnReplica.behind(SimpleNamespace(_app=[].append)) is None
