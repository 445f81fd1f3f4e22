import pytest

from cluster import names
from serve_app import deployments


@pytest.mark.parametrize(("builder", "name"), [(deployments.api, "api"), (deployments.realtime, "realtime")])
def test_applications_are_built_for_sockets_and_smooth_redeploys(builder: object, name: str) -> None:
    application = builder({"version": "7"})  # type: ignore[operator]
    deployment = application._bound_deployment
    assert deployment.name == name
    assert deployment.max_ongoing_requests == 100_000
    config = deployment._deployment_config
    assert config.max_surge_percent == 100
    assert config.graceful_shutdown_timeout_s >= 120 + 30
    assert deployment.init_args == ("7",), "another version replaces the replicas"
    assert deployment.ray_actor_options["num_cpus"] < 1


def test_replica_counts_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = deployments.get_settings().model_copy(update={"realtime_replicas": 3, "api_replicas": 2})
    monkeypatch.setattr(deployments, "get_settings", lambda: settings)
    assert deployments.realtime({})._bound_deployment.num_replicas == 3
    assert deployments.api({})._bound_deployment.num_replicas == 2


def test_the_number_of_api_replicas_may_follow_their_load(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = deployments.api({})._bound_deployment._deployment_config
    assert fixed.autoscaling_config is None
    settings = deployments.get_settings().model_copy(update={"api_replicas": 2, "api_replicas_max": 5})
    monkeypatch.setattr(deployments, "get_settings", lambda: settings)
    scale = deployments.api({})._bound_deployment._deployment_config.autoscaling_config
    assert (scale.min_replicas, scale.max_replicas) == (2, 5)
    assert (scale.upscale_delay_s, scale.downscale_delay_s) == (300, 300), "HAProxy starts anew with every change"
    assert deployments.realtime({})._bound_deployment._deployment_config.autoscaling_config is None


def test_the_import_paths_lead_here() -> None:
    assert names.API_IMPORT_PATH == "serve_app.deployments:api"
    assert names.REALTIME_IMPORT_PATH == "serve_app.deployments:realtime"


class FakeHub:
    connections = 5


class FakeApplication:
    hub: FakeHub | None = FakeHub()


async def test_a_realtime_replica_without_its_hub_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments.telemetry, "start", lambda settings, process: None)
    replica = deployments.RealtimeReplica("1")
    await replica.check_health()
    assert await replica.record_autoscaling_stats() == {"connections": 0.0}
    replica._application = FakeApplication()
    await replica.check_health()
    assert await replica.record_autoscaling_stats() == {"connections": 5.0}
    replica._application.hub = None
    with pytest.raises(RuntimeError):
        await replica.check_health()


async def test_an_api_replica_counts_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments.telemetry, "start", lambda settings, process: None)
    replica = deployments.ApiReplica("1")
    await replica.check_health()
    with deployments.ONGOING:
        said = await replica.record_autoscaling_stats()
    assert said["ongoing_requests"] == 1.0
    assert said["busy"] >= 0


@pytest.mark.parametrize(
    ("replica", "builder"),
    [
        (deployments.ApiReplica, "serve_app.app.build_app"),
        (deployments.RealtimeReplica, "serve_app.realtime.backends.build_application"),
    ],
)
def test_the_collector_is_set_once_the_application_is_built(
    replica: type[deployments.ApiReplica | deployments.RealtimeReplica], builder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(deployments.telemetry, "start", lambda settings, process: None)
    monkeypatch.setattr(builder, lambda settings: happened.append("built"))
    monkeypatch.setattr(deployments.garbage, "settle", lambda: happened.append("settled"))
    replica("1").__serve_build_asgi_app__()
    assert happened == ["built", "settled"]
