import json
import subprocess
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node
from cluster.ray_runtime.worker import RayWorkerNode
from cluster.services.errors import ServiceError
from cluster.settings import Settings

PORTS = Ports(8000, 3000, 20_000)


@pytest.fixture
def worker(paths: Paths) -> RayWorkerNode:
    return RayWorkerNode(Settings(_env_file=None), paths, PORTS, {}, "127.0.0.1:20002")  # type: ignore[call-arg]


def test_it_joins_the_head_and_knows_its_raylet(
    worker: RayWorkerNode, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    raylets: list[subprocess.Popen[bytes]] = []

    def launch(file: Path, env: object, log_file: Path) -> bool:
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
    def launch(file: Path, env: object, log_file: Path) -> bool:
        log_file.write_text("no such head\n")
        return False

    monkeypatch.setattr(node, "launch", launch)
    with pytest.raises(ServiceError, match=r"cannot join 127\.0\.0\.1:20002(.|\n)*no such head"):
        worker.start()
    assert not worker.is_alive()
