import json

from cluster.cli.looking import haproxy_line
from cluster.paths import Paths
from cluster.ray_runtime.generations import Generation
from cluster.stack import daemon_state
from tests.fixtures.command import MobulaCommand


def test_status_of_nothing_says_how_to_start(mobula: MobulaCommand) -> None:
    shown = mobula.run("status")
    assert shown.exit_code == 3
    assert "./mobula up -d" in shown.output


def test_status_of_a_stack_that_does_not_answer_is_an_error(mobula: MobulaCommand) -> None:
    paths = Paths(mobula.home)
    paths.run.mkdir(parents=True)
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    daemon_state.write_status(
        paths,
        {
            **{"state": "running", "api": "http://127.0.0.1:9", "websocket": "ws://x", "ray_address": "127.0.0.1:1"},
            "services": {"postgres": {"pid": 1}},
        },
    )
    shown = mobula.run("status")
    assert shown.exit_code == 1
    assert "no answer" in shown.output
    assert "postgres" in shown.output
    lock.release()


def test_logs_that_are_not_there_are_an_error_that_says_where_it_looked(mobula: MobulaCommand) -> None:
    shown = mobula.run("logs", "nonsense")
    assert shown.exit_code == 1
    assert "nonsense" in shown.output


def test_logs_are_services_and_then_our_processes_by_time(mobula: MobulaCommand) -> None:
    paths = Paths(mobula.home)
    paths.process_logs.mkdir(parents=True)
    (paths.logs / "postgres.log").write_text("LOG: ready\n")
    (paths.logs / "daemon.log").write_text("")
    for pid, (event, level) in enumerate((("second", "info"), ("first", "error"))):
        line = {"event": event, "level": level, "timestamp": f"2026-11-26T10:00:0{2 - pid}Z"}
        (paths.process_logs / f"api-{pid}.log").write_text(json.dumps(line) + "\n")
    shown = mobula.run("logs").output
    assert shown.index("LOG: ready") < shown.index("first") < shown.index("second")
    assert "daemon.log" not in shown
    errors = mobula.run("logs", "--errors").output
    assert "first" in errors
    assert "second" not in errors
    assert "LOG: ready" not in errors
    assert "first" not in mobula.run("logs", "postgres").output
    assert "api[0]" in mobula.run("logs", "api").output


def test_doctor_looks_at_everything(mobula: MobulaCommand) -> None:
    shown = mobula.run("doctor")
    for subject in ("memory", "disk", "open-file limit", "Postgres", "Valkey", "Node", "budget"):
        assert subject in shown.output


def test_doctor_changes_nothing_of_the_head_s_settings_that_a_node_has(mobula: MobulaCommand) -> None:
    """It is what a node runs first, after it was given its copy."""
    paths = Paths(mobula.home)
    paths.home.mkdir(parents=True)
    copied = "DATABASE_URL='postgresql://u:p@db/x'\nMOBULA_RAY_ADDRESS='10.0.0.9:20002'\nSECRET_KEY='the head\\'s'\n"
    paths.state_env.write_text(copied)
    for _ in range(2):
        assert "budget" in mobula.run("doctor").output
        assert paths.state_env.read_text() == copied
        assert not paths.ports_file.exists()


def test_old_haproxy_processes_are_counted() -> None:
    assert haproxy_line([], 0.0) == "no process"
    assert haproxy_line([Generation(7, 0.0, "a")], 10.0) == "pid 7"
    shown = haproxy_line([Generation(5, 0.0, "a"), Generation(6, 3600.0, "a"), Generation(7, 7200.0, "a")], 7200.0)
    assert shown == "pid 7  2 old, kept for their sockets (the oldest is 2.0 h old)"
