import time
from typing import Any

import pytest

from cluster.ray_runtime import leave_node

NODE = "ab" * 28


@pytest.mark.parametrize(("answer", "said"), [((True, ""), ""), ((False, "no such node"), "no such node")])
def test_the_cluster_is_told_until_when_it_has_time(
    answer: tuple[bool, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    class Client:
        def __init__(self, address: str) -> None:
            asked.append(address)

        def drain_node(self, *arguments: Any, timeout: float) -> tuple[bool, str]:
            asked.extend(arguments)
            assert timeout <= 10
            return answer

    monkeypatch.setattr(leave_node.RAYLET, "GcsClient", Client)
    before = time.time()
    assert leave_node.main(["127.0.0.1:1", NODE, "90.0"]) == bool(said)
    assert capsys.readouterr().err.strip() == said
    address, node, reason, _, deadline_ms = asked
    assert (address, node) == ("127.0.0.1:1", NODE)
    assert reason == leave_node.MESSAGES.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    assert before + 89 < deadline_ms / 1000 < time.time() + 91
