from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime import node
from cluster.ray_runtime.head import ATTEMPTS, RayHead
from cluster.services.errors import ServiceError
from cluster.settings import Settings


@pytest.mark.parametrize("given_up", [False, True])
def test_a_node_that_does_not_start_is_tried_again_unless_somebody_stops(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    attempts: list[Path] = []

    def launch(file: Path, *_: object) -> bool:
        attempts.append(file)
        return False

    monkeypatch.setattr(node, "launch", launch)
    monkeypatch.setattr(node, "stop", lambda paths, spare: [])
    head = RayHead(Settings(_env_file=None), paths, Ports(8000, 3000, 20_000), {})  # type: ignore[call-arg]
    with pytest.raises(ServiceError, match="Ray does not start"):
        head.start(lambda: given_up)
    assert len(attempts) == (1 if given_up else ATTEMPTS)
