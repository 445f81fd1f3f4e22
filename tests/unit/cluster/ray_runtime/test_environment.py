import json
import os
import subprocess
from pathlib import Path

import pytest

from cluster import names, proxies
from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import environment
from cluster.ray_runtime.environment import LimitTooLow, maxconn_for, process_environment, ray_environment
from cluster.settings import Settings

PORTS = Ports(8000, 3000, 20_000)


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_connections_follow_from_the_open_file_limit() -> None:
    assert maxconn_for(20_000) == 7_897
    assert maxconn_for(1_048_576) == 100_000
    assert maxconn_for(20_000, wanted=500) == 500


@pytest.mark.parametrize(("limit", "wanted"), [(800, 0), (20_000, 9_000)])
def test_an_impossible_number_is_refused_with_the_remedy(limit: int, wanted: int) -> None:
    with pytest.raises(LimitTooLow, match="ulimit"):
        maxconn_for(limit, wanted)


def test_what_the_design_demands_is_there(tmp_path: Path) -> None:
    env = ray_environment(settings(), Paths(tmp_path), PORTS, maxconn=1000)
    assert env["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert env["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"] == "86400"
    assert env["RAY_SERVE_PORT_QUARANTINE_S"] == "300"
    assert env["RAY_worker_niceness"] == "0"
    assert env["RAY_AUTH_MODE"] == "token"
    assert env["RAY_gcs_storage"] == "rocksdb"
    assert env["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] == names.EDGE_HOOK_IMPORT_PATH
    assert env["RAY_preload_python_modules"] == names.WORKER_PRELOAD_MODULE
    assert int(env["RAY_kill_idle_workers_interval_ms"]) >= 60_000


def test_every_path_and_port_belongs_to_the_checkout(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    env = ray_environment(settings(), paths, PORTS, maxconn=1000)
    for name, value in env.items():
        if name.endswith("_PORT"):
            assert int(value) in PORTS.everything, name
        if value.startswith("/"):
            assert value.startswith((str(paths.short), str(paths.home))), name


def test_a_lost_node_is_noticed_soon_where_there_can_be_one(tmp_path: Path) -> None:
    alone = ray_environment(settings(), Paths(tmp_path), PORTS, maxconn=1000)
    one_of_many = ray_environment(settings(node_address="10.0.0.1"), Paths(tmp_path), PORTS, maxconn=1000)
    assert "RAY_health_check_period_ms" not in alone
    assert one_of_many["RAY_health_check_period_ms"] == "1000"
    env = process_environment({}, settings(node_address="10.0.0.1"), Paths(tmp_path), PORTS)
    assert env["MOBULA_RAY_ADDRESS"] == f"10.0.0.1:{PORTS.service('gcs')}"


def test_nothing_of_the_caller_can_point_ray_elsewhere(tmp_path: Path) -> None:
    base = {"RAY_ADDRESS": "10.0.0.1:6379", "RAY_BACKEND_LOG_LEVEL": "debug", "PATH": "/bin"}
    env = process_environment(base, settings(), Paths(tmp_path), PORTS)
    assert "RAY_ADDRESS" not in env
    assert env["RAY_BACKEND_LOG_LEVEL"] == "debug"
    assert env[environment.MARKER] == str(tmp_path)
    assert env["PATH"] == "/bin"


def test_our_processes_reach_each_other_past_a_proxy(tmp_path: Path) -> None:
    def names_of(**base: str) -> tuple[str | None, str | None]:
        env = process_environment(base, settings(node_address="10.0.0.1"), Paths(tmp_path), PORTS)
        return env.get("no_proxy"), env.get("NO_PROXY")

    assert names_of() == (None, None)
    ours = "localhost,127.0.0.1,::1,10.0.0.1"
    assert names_of(HTTP_PROXY="http://proxy:3128") == (ours, ours)
    theirs = f".internal,{ours}"
    assert names_of(all_proxy="http://proxy:3128", NO_PROXY=".internal, localhost") == (theirs, theirs)


def test_the_wrapper_is_a_script_that_becomes_haproxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.paths.SHORT_BASE", tmp_path)
    paths = Paths(tmp_path / "home")
    paths.prepare()
    given = settings(secret_key="a-secret-key")
    script = environment.install_haproxy_wrapper(given, paths)
    shown = subprocess.run([str(script), "-v"], capture_output=True, text=True, check=True, env={"PATH": os.defpath})
    assert "HAProxy version 2.8" in shown.stdout
    options = json.loads((paths.haproxy / "options.json").read_text())
    assert options["request_timeout_s"] == 10
    assert options["connections_per_address"] > 0
    assert options["proxy_token"] == proxies.token(given) != ""


def test_the_cap_per_address_is_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.paths.SHORT_BASE", tmp_path)
    paths = Paths(tmp_path / "home")
    paths.prepare()
    environment.install_haproxy_wrapper(settings(edge_max_connections_per_address=7), paths)
    assert json.loads((paths.haproxy / "options.json").read_text())["connections_per_address"] == 7
