"""`./mobula down` where there is nothing to do. The whole of it: tests/cluster/cluster/stack/test_runner.py."""

from pathlib import Path

from cluster.paths import Paths
from cluster.stack import daemon_state
from tests.fixtures.stack import RunningStack


async def test_down_in_a_checkout_that_never_ran_touches_no_other(stack: RunningStack, tmp_path: Path) -> None:
    done = RunningStack(Paths(tmp_path / "home")).run("down")
    assert done.returncode == 0
    assert "Nothing was running" in done.stdout
    assert daemon_state.holder(stack.paths) is not None
