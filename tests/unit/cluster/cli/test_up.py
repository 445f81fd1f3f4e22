import pytest

from cluster.paths import Paths
from cluster.stack import daemon_state
from tests.fixtures.command import MobulaCommand


def test_a_second_up_says_where_the_first_one_is(mobula: MobulaCommand) -> None:
    paths = Paths(mobula.home)
    paths.run.mkdir(parents=True)
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    where = {"api": "http://127.0.0.1:8000", "websocket": "ws://127.0.0.1:8000/connection/websocket"}
    daemon_state.write_status(paths, {**where, "environment": "development"})
    shown = mobula.run("up", "-d")
    assert shown.exit_code == 0
    assert "runs already" in shown.output
    assert where["websocket"] in shown.output
    lock.release()


def test_the_demo_password_is_shown_only_where_demo_accounts_are(mobula: MobulaCommand) -> None:
    paths = Paths(mobula.home)
    for folder in (paths.run, paths.secrets, paths.build):
        folder.mkdir(parents=True)
    (paths.build / "seeded").write_text("Seeded another database\n")
    (paths.secrets / "demo_password").write_text("abcd-efgh\n")
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    status = {"api": "http://x", "websocket": "ws://x"}
    for environment, seeded, shown in (
        ("development", True, True),
        ("development", False, False),
        ("production", True, False),
    ):
        daemon_state.write_status(paths, {**status, "environment": environment, "demo": seeded})
        assert ("abcd-efgh" in mobula.run("up").output) is shown
    lock.release()


def test_only_the_two_applications_can_be_redeployed(mobula: MobulaCommand) -> None:
    shown = mobula.run("redeploy", "postgres")
    assert shown.exit_code == 2
    assert "api or realtime" in shown.output


def test_redeploying_needs_a_running_stack(mobula: MobulaCommand) -> None:
    shown = mobula.run("redeploy", "api")
    assert shown.exit_code == 1
    assert "./mobula up -d" in shown.output


def test_down_with_nothing_running_says_so(mobula: MobulaCommand) -> None:
    shown = mobula.run("down")
    assert shown.exit_code == 0
    assert "Nothing was running" in shown.output


RUNNING = {"api": "http://127.0.0.1:8000", "websocket": "ws://127.0.0.1:8000", "frontend": "http://localhost:3000"}


@pytest.mark.parametrize(
    ("asked", "environment", "unmet"),
    [
        (["--fresh"], "development", "--fresh"),
        (["--production"], "development", "--production"),
        (["--production"], "production", ""),
        (["--port", "8000", "--frontend-port", "3000"], "development", ""),
        (["--port", "8010", "--frontend-port", "3010"], "development", "--port and --frontend-port"),
    ],
)
def test_what_a_running_stack_is_not_is_said_instead_of_ignored(
    mobula: MobulaCommand, asked: list[str], environment: str, unmet: str
) -> None:
    paths = Paths(mobula.home)
    paths.run.mkdir(parents=True)
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    daemon_state.write_status(paths, {**RUNNING, "environment": environment})
    shown = mobula.run("up", "-d", *asked)
    lock.release()
    assert shown.exit_code == bool(unmet), shown.output
    assert (f"it runs without {unmet}: ./mobula down first" in shown.output) is bool(unmet)


def test_production_is_shown_without_pages_that_it_does_not_have(mobula: MobulaCommand) -> None:
    paths = Paths(mobula.home)
    paths.run.mkdir(parents=True)
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    for environment, there in (("development", True), ("production", False)):
        daemon_state.write_status(paths, {**RUNNING, "frontend": None, "environment": environment})
        assert ("/docs" in mobula.run("up", "-d").output) is there
    lock.release()
