import subprocess
import sys

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import MARKER
from cluster.stack.plan import Options, make
from tests.fixtures.command import MobulaCommand


def test_down_ends_what_a_killed_supervisor_left_behind(mobula: MobulaCommand) -> None:
    plan = make(Options(home=mobula.home), {"PATH": "/usr/bin:/bin"})
    assert plan.postgres is not None
    assert plan.valkey is not None
    plan.postgres.start()
    plan.valkey.start()
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], env={MARKER: str(plan.paths.home)}
    )
    shown = mobula.run("down")
    assert shown.exit_code == 0, shown.output
    assert "Everything is stopped" in shown.output
    assert orphan.wait(timeout=10) != 0
    assert processes.find(Paths(mobula.home)) == []
    assert "Nothing was running" in mobula.run("down").output
