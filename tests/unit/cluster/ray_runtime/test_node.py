import json
import sys
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node
from cluster.settings import Settings

PORTS = Ports(8000, 3000, 20_000)


def test_its_ports_and_paths_are_of_its_own_checkout(paths: Paths) -> None:
    settings = Settings(_env_file=None, ray_cpus=3, node_address="10.0.0.2")  # type: ignore[call-arg]
    found = node.parameters(settings, paths, PORTS)
    assert found["node_ip_address"] == "10.0.0.2"
    assert found["num_cpus"] == 3
    assert found["temp_dir"] == str(paths.ray)
    ports = {name: value for name, value in found.items() if name.endswith("_port")}
    assert len(set(ports.values())) == len(ports)
    assert set(ports.values()) <= PORTS.everything
    json.dumps(found)


def test_the_log_says_why_it_did_not_start(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    file, log = paths.run / "node.json", paths.logs / "ray-start.log"
    file.write_text("no JSON")
    assert node.launch(file, {"PATH": "/bin", "PYTHONPATH": ":".join(sys.path)}, log) is False
    assert "JSONDecodeError" in log.read_text()


def test_what_lies_where_somebody_stands_is_not_imported(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssl.py").write_text("raise SystemExit('a stray file')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('a stray file')\n")
    monkeypatch.chdir(tmp_path)
    file, log = paths.run / "node.json", paths.logs / "ray-start.log"
    file.write_text("no JSON")
    assert node.launch(file, {"PATH": "/bin", "PYTHONPATH": ":".join(filter(None, sys.path))}, log) is False
    assert "JSONDecodeError" in log.read_text()


@pytest.mark.parametrize("given_up", [False, True])
def test_a_start_that_takes_too_long_or_is_given_up_is_one_that_failed(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    slow = paths.home / "python"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(node.sys, "executable", str(slow))
    if not given_up:
        monkeypatch.setattr(node, "START_LIMIT_S", 0.0)
    log = paths.logs / "ray-start.log"
    assert node.launch(paths.run / "node.json", {"PATH": "/usr/bin:/bin"}, log, lambda: given_up) is False
    assert ("somebody stopped it" if given_up else "not there after 0 s") in log.read_text()


def test_old_sessions_and_haproxys_go_before_a_start(paths: Paths) -> None:
    for number in range(4):
        (paths.ray / f"session_2026-01-0{number}").mkdir()
    (paths.haproxy / "a-node-id").mkdir()
    (paths.haproxy / "options.json").write_text("{}")
    node.tidy(paths)
    assert [path.name for path in paths.ray.iterdir()] == ["session_2026-01-03"]
    assert [path.name for path in paths.haproxy.iterdir()] == ["options.json"]


def test_nothing_of_this_checkout_runs_after_stopping_nothing(paths: Paths) -> None:
    assert node.stop(paths) == []


def test_what_the_launcher_told_is_found_below_what_ray_said(paths: Paths) -> None:
    log = paths.logs / "ray-start.log"
    assert node.told(log) == {}
    log.write_text('a warning\n{"node": "ab", "nodes": 3}\n7\nanother warning\n')
    assert node.told(log) == {"node": "ab", "nodes": 3}
