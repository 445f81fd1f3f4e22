import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.ports import PortError
from cluster.services.errors import ServiceError
from cluster.services.ports import free_port
from cluster.settings import ProductionRefused, Settings
from cluster.stack import budget, external, joining
from cluster.stack.daemon_state import AlreadyRunning, DaemonLock
from cluster.stack.joining import NodePlan

HERE = "postgresql://mobula@127.0.0.1:5432/mobula"
THERE = "postgresql://mobula@db.internal:5432/mobula"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's home with what was copied from the head."""
    monkeypatch.setattr("cluster.paths.SHORT_BASE", tmp_path / "s")
    (tmp_path / "s").mkdir()
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / "no.env")
    home = tmp_path / "home"
    (home / "secrets").mkdir(parents=True)
    for name in ("ray_token", "signing.pem"):
        (home / "secrets" / name).write_text("x")
    monkeypatch.setenv("MOBULA_HOME", str(home))
    copied(home)
    return home


def copied(home: Path, **values: str) -> None:
    lines = {"DATABASE_URL": HERE, "MOBULA_RAY_ADDRESS": "127.0.0.1:20002", "HTTP_PORT": str(free_port())} | values
    (home / "state.env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))


def make(home: Path, head: str = "", http_port: int | None = None) -> NodePlan:
    return joining.make(home, head=head, http_port=http_port, environ={"PATH": "/bin", "RAY_ADDRESS": "10.0.0.9:1"})


def test_a_node_has_the_head_s_settings_and_paths_and_ports_of_its_own(home: Path) -> None:
    port = free_port()
    plan = make(home, http_port=port)
    assert plan.head == plan.env["MOBULA_RAY_ADDRESS"] == "127.0.0.1:20002"
    assert plan.env["MOBULA_HOME"] == str(home)
    assert plan.settings.database_url.get_secret_value() == HERE
    assert plan.env["HTTP_PORT"] == plan.env["RAY_SERVE_WORKER_PROXY_HTTP_PORT"] == str(port)
    assert str(plan.paths.short) in plan.env["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"]
    assert "RAY_ADDRESS" not in plan.env
    assert make(home, head="127.0.0.1:7").head == "127.0.0.1:7"


def test_its_haproxy_listens_where_the_head_s_does_unless_told_otherwise(home: Path) -> None:
    port = free_port()
    copied(home, HTTP_PORT=str(port))
    assert make(home).ports.http == port


@pytest.mark.parametrize(
    ("values", "head", "said"),
    [
        ({"MOBULA_RAY_ADDRESS": ""}, "", "no head to join"),
        ({"DATABASE_URL": ""}, "", r"copy the head's .mobula/state.env"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere/ray_token"}, "", "/nowhere/ray_token is missing"),
        ({"SIGNING_KEY_FILE": "/nowhere/signing.pem"}, "", "/nowhere/signing.pem is missing"),
        ({"DATABASE_URL": THERE}, "10.0.0.1:20002", "NODE_ADDRESS is a loopback address"),
        ({"NODE_ADDRESS": "10.0.0.2"}, "10.0.0.1:20002", "DATABASE_URL names this machine itself"),
        ({"NODE_ADDRESS": "10.0.0.2", "DATABASE_URL": THERE}, "head.internal:20002", "HTTP_HOST is a loopback address"),
    ],
)
def test_what_is_missing_or_out_of_reach_is_said_with_its_remedy(
    home: Path, values: dict[str, str], head: str, said: str
) -> None:
    copied(home, **values)
    with pytest.raises(ServiceError, match=said):
        make(home, head)


def test_another_machine_is_joined_with_addresses_that_all_reach(home: Path) -> None:
    copied(home, NODE_ADDRESS="10.0.0.2", DATABASE_URL=THERE, HTTP_HOST="0.0.0.0")
    plan = make(home, "[fd00::1]:20002")
    assert plan.settings.node_address == "10.0.0.2"
    assert plan.env["MOBULA_RAY_ADDRESS"] == "[fd00::1]:20002"


def test_the_home_of_what_runs_is_left_as_it_is(home: Path) -> None:
    paths = make(home, http_port=free_port()).paths
    recorded = paths.ports_file.read_bytes()
    running = DaemonLock(paths)
    running.take()
    with pytest.raises(AlreadyRunning, match=r"MOBULA_HOME=… \./mobula node"):
        make(home, http_port=free_port())
    assert paths.ports_file.read_bytes() == recorded
    running.release()


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortError, match="mobula node --port"):
            make(home, http_port=taken.getsockname()[1])


class Node:
    """Stands in for the Ray node: which attempts to start fail, and whether it lives."""

    nodes = 2
    problem = ""
    told_again = False

    def __init__(self, *starts: bool | OSError) -> None:
        self.starts = list(starts)
        self.left = 0
        self.told = False
        self.hurried = False
        self.started = 0
        self.stopped = 0

    def __call__(self, *arguments: object) -> "Node":
        return self

    def start(self, given_up: Callable[[], bool]) -> None:
        assert not given_up()
        outcome = self.starts.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        if not outcome:
            raise ServiceError("cannot join")
        self.started += 1

    def is_alive(self) -> bool:
        if not self.starts:
            if not self.told:
                self.told = True
                signal.raise_signal(signal.SIGTERM)
            return True
        return False

    def leave(self, hurried: Callable[[], bool]) -> str:
        assert not self.stopped, "what has ended cannot drain"
        self.left += 1
        if self.told_again:
            assert not hurried()
            signal.raise_signal(signal.SIGINT)
            self.hurried = hurried()
        return self.problem

    def stop(self) -> list[object]:
        self.stopped += 1
        return []


def run(home: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[str]]:
    monkeypatch.setattr(joining, "RayWorkerNode", node)
    monkeypatch.setattr(joining, "WATCH_S", 0.0)
    monkeypatch.setattr(joining, "RETRY_S", 0.0)
    monkeypatch.setattr(joining, "connections", lambda settings, nodes: [])
    said: list[str] = []
    return joining.run(make(home), said.append), said


def test_it_joins_and_leaves_when_told_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(True)
    status, said = run(home, node, monkeypatch)
    assert (status, node.started, node.stopped) == (0, 1, 1)
    assert "joined 127.0.0.1:20002" in said[0]


def test_under_nohup_it_outlives_its_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hangup(Node):
        def start(self, given_up: Callable[[], bool]) -> None:
            super().start(given_up)
            signal.raise_signal(signal.SIGHUP)
            assert not given_up()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        status, said = run(home, Hangup(True), monkeypatch)
        assert (status, "joined" in said[0]) == (0, True)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_lost_node_joins_again_however_long_the_head_is_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(True, False, OSError("No space left on device"), True)
    status, said = run(home, node, monkeypatch)
    assert (status, node.started) == (0, 2)
    assert said[1:] == [
        "the raylet has died with all of its node: joining again",
        "cannot join",
        "No space left on device",
        "joined again",
        "leaving: sockets here are sent elsewhere over 30 s (once more: at once)",
    ]


def test_the_first_attempt_must_succeed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(False)
    with pytest.raises(ServiceError, match="cannot join"):
        run(home, node, monkeypatch)
    assert node.stopped == 1


def test_what_the_head_is_in_holds_here_and_nothing_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "9f3b" * 4 + "a1c7e5d2" * 3
    strong = dict.fromkeys(("SECRET_KEY", "ENCRYPTION_KEY", "SERVER_API_KEY"), secret)
    copied(home, ENVIRONMENT="production", **strong)
    plan = make(home)
    assert plan.settings.environment == plan.env["ENVIRONMENT"] == "production"
    copied(home, ENVIRONMENT="production", **(strong | {"SECRET_KEY": "changeme"}))
    with pytest.raises(ProductionRefused, match="SECRET_KEY is weak"):
        make(home)
    copied(home, ENVIRONMENT="production", **strong)
    monkeypatch.setenv("PUBLIC_URL", "https://shop.example")
    with pytest.raises(ProductionRefused, match="SMTP_HOST is missing"):
        make(home)
    monkeypatch.setenv("ENVIRONMENT", "development")
    with pytest.raises(ServiceError, match="development here and production on the head"):
        make(home)


def test_a_node_that_leaves_drains_first_and_says_what_did_not_work(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(True)
    node.problem = "the head does not answer"
    status, said = run(home, node, monkeypatch)
    assert (status, node.left, node.stopped) == (0, 1, 1)
    assert "sent elsewhere over 30 s" in said[-2]
    assert said[-1] == "not drained: the head does not answer"


def test_who_is_told_twice_to_stop_does_not_wait(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(True)
    node.told_again = True
    run(home, node, monkeypatch)
    assert node.hurried


@pytest.mark.parametrize(
    ("allowed", "said"),
    [(500, "; the database allows 500"), (100, "the database allows 100 connections, this configuration can open")],
)
def test_what_the_nodes_can_open_together_is_counted_when_one_joins(
    allowed: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "check_postgres", lambda url: external.ExternalPostgres("18", allowed))
    settings = Settings(_env_file=None, database_url=HERE)  # type: ignore[arg-type,call-arg]
    shown = "\n".join(joining.connections(settings, 3))
    both = budget.budget(settings, nodes=3)
    assert f"3 nodes can open {both}, 28 of them this one" in shown
    assert said in shown
    assert ("warning" in shown) is (allowed == 100)


def test_shards_that_were_added_are_counted_when_a_node_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "check_postgres", lambda url: external.ExternalPostgres("18", 500, 9))
    settings = Settings(_env_file=None, database_url=HERE)  # type: ignore[arg-type,call-arg]
    assert f"can open {budget.budget(settings, nodes=3, broker_shards=9)}" in joining.connections(settings, 3)[0]


def test_a_database_that_does_not_answer_is_said_and_holds_nobody_up() -> None:
    settings = Settings(_env_file=None, database_url="postgresql://x@127.0.0.1:1/x")  # type: ignore[arg-type,call-arg]
    assert "does not answer" in joining.connections(settings, 2)[-1]
