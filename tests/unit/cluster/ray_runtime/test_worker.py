import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node
from cluster.ray_runtime.worker import RayWorkerNode
from cluster.services.errors import ServiceError
from cluster.services.process import run_to_end
from cluster.settings import Settings

PORTS = Ports(8000, 3000, 20_000)


@pytest.fixture
def worker(paths: Paths) -> RayWorkerNode:
    return RayWorkerNode(Settings(_env_file=None), paths, PORTS, {}, "127.0.0.1:20002")  # type: ignore[call-arg]


def test_it_joins_the_head_and_knows_its_raylet(
    worker: RayWorkerNode, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    raylets: list[subprocess.Popen[bytes]] = []

    def launch(file: Path, env: object, log_file: Path, given_up: object) -> bool:
        asked = json.loads(file.read_text())
        assert asked["gcs_address"] == "127.0.0.1:20002"
        assert "gcs_server_port" not in asked
        command = ["raylet", "-c", "read nothing", str(paths.ray)]
        raylets.append(subprocess.Popen(command, executable="/bin/sh", stdin=subprocess.PIPE))
        return True

    monkeypatch.setattr(node, "launch", launch)
    monkeypatch.setattr(node, "stop", lambda paths: [])
    assert not worker.is_alive()
    try:
        worker.start()
        assert worker.is_alive()
    finally:
        for raylet in raylets:
            raylet.kill()
            raylet.communicate()
    assert not worker.is_alive(), "its raylet has ended"


def test_what_ray_said_is_the_reason(worker: RayWorkerNode, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(file: Path, env: object, log_file: Path, given_up: object) -> bool:
        log_file.write_text("no such head\n")
        return False

    monkeypatch.setattr(node, "launch", launch)
    with pytest.raises(ServiceError, match=r"cannot join 127\.0\.0\.1:20002(.|\n)*no such head"):
        worker.start()
    assert not worker.is_alive()


class Leaving:
    """Replicas that go, or stay, once it was announced; `announced` is what `leave_node` was asked."""

    def __init__(
        self, worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch, *, replicas: list[int], status: int = 0
    ) -> None:
        self.replicas = replicas
        self.announced: list[list[str]] = []
        self.status = status
        self.worker = worker
        monkeypatch.setattr("cluster.ray_runtime.worker.LOOK_S", 0.0)
        monkeypatch.setattr(worker, "is_alive", lambda: True)
        monkeypatch.setattr(worker, "_replicas", self.next)
        monkeypatch.setattr("cluster.ray_runtime.worker.run_to_end", self.run)

    def next(self) -> bool:
        return bool(self.replicas.pop(0) if len(self.replicas) > 1 else self.replicas[0])

    def run(self, command: list[str], *, log_file: Path, **options: Any) -> int:
        self.announced.append(command[3:])
        log_file.write_text("why not\n" if self.status else "")
        return self.status


def test_a_node_without_replicas_leaves_at_once(worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Leaving(worker, monkeypatch, replicas=[0])
    assert worker.leave(lambda: False) == ""
    assert leaving.announced == []


def test_a_node_waits_until_its_replicas_are_drained(worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Leaving(worker, monkeypatch, replicas=[1, 1, 1, 0])
    assert worker.leave(lambda: False) == ""
    assert leaving.announced == [["127.0.0.1:20002", "", "210.0"]]
    assert leaving.replicas == [0]


def test_it_waits_no_longer_than_that_or_than_it_is_let(worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch) -> None:
    Leaving(worker, monkeypatch, replicas=[1])
    assert worker.leave(lambda: True) == ""
    monkeypatch.setattr("cluster.ray_runtime.worker.REPLACEMENT_LIMIT_S", -30.0)
    assert "still here" in worker.leave(lambda: False)


def test_a_head_that_is_away_holds_nobody_up(worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch) -> None:
    Leaving(worker, monkeypatch, replicas=[1], status=1)
    assert worker.leave(lambda: False) == "why not"


def test_a_head_that_does_not_answer_is_waited_for_so_long_and_by_who_is_hurried_not_at_all(
    worker: RayWorkerNode, monkeypatch: pytest.MonkeyPatch, paths: Paths
) -> None:
    Leaving(worker, monkeypatch, replicas=[1])
    monkeypatch.setattr("cluster.ray_runtime.worker.run_to_end", run_to_end)
    silent = paths.home / "python"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    monkeypatch.setattr("cluster.ray_runtime.worker.sys.executable", str(silent))
    assert worker.leave(lambda: True) == ""
    monkeypatch.setattr("cluster.ray_runtime.worker.ANNOUNCE_LIMIT_S", 0.0)
    assert worker.leave(lambda: False) == "the head does not answer"
