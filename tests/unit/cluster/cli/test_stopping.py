import os

import pytest

from cluster.cli import stopping
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.stack import daemon_state
from cluster.stack.daemon_state import AlreadyRunning, CommandLock, DaemonLock
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


def test_down_takes_nothing_from_a_command_that_works_and_names_it(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOCK_LIMIT_S", 0.1)
    monkeypatch.setattr(processes, "end_all", lambda paths: pytest.fail("swept beneath a command"))
    command = CommandLock(Paths(mobula.home))
    assert command.take("./mobula restore")
    command.share()
    shown = mobula.run("down")
    assert shown.exit_code == 1
    assert f"./mobula restore (pid {os.getpid()}) works on this checkout" in shown.output
    command.release()


def test_nothing_starts_while_down_sweeps_and_everything_may_afterwards(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(mobula.home)
    lock = DaemonLock(paths)
    swept: list[Paths] = []

    def sweep(swept_paths: Paths) -> tuple[bool, list[object]]:
        with pytest.raises(AlreadyRunning, match=rf"^./mobula down \(pid {os.getpid()}\) works on this checkout"):
            lock.take()
        assert not CommandLock(paths).take("./mobula seed")
        assert "./mobula down" in mobula.run("up", "-d").output
        swept.append(swept_paths)
        return False, []

    monkeypatch.setattr(processes, "end_all", sweep)
    for _ in range(2):
        assert mobula.run("down").exit_code == 0
    assert swept == [paths, paths]
    lock.take()
    lock.release()


def test_a_stack_that_was_started_meanwhile_is_not_swept(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOCK_LIMIT_S", 0.1)
    monkeypatch.setattr(processes, "end_all", lambda paths: pytest.fail("swept a stack that starts"))
    lock = DaemonLock(Paths(mobula.home))
    lock.take()
    seen = iter([None, daemon_state.holder(Paths(mobula.home))])
    monkeypatch.setattr(daemon_state, "holder", lambda paths: next(seen))
    shown = mobula.run("down")
    assert shown.exit_code == 1
    assert "started again meanwhile" in shown.output
    lock.release()
