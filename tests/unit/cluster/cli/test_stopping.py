import pytest

from cluster.cli import stopping
from cluster.paths import Paths
from cluster.stack.daemon_state import DaemonLock
from tests.fixtures.command import MobulaCommand


def test_down_does_not_claim_to_have_stopped_what_still_holds_the_checkout(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOCK_LIMIT_S", 0.1)
    paths = Paths(mobula.home)
    lock = DaemonLock(paths)
    lock.take()
    (paths.run / "daemon.lock").write_text("nobody that lives")
    shown = mobula.run("down")
    assert shown.exit_code == 1
    assert "daemon.lock" in shown.output
    assert "stopped." not in shown.output
    lock.release()
