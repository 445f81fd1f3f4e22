import errno
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import secrets
from cluster.ray_runtime import processes
from cluster.services.errors import ServiceError
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.stack import applications, daemon_state, external, supervisor
from cluster.stack.applications import Deployment
from cluster.stack.plan import Options, make
from cluster.stack.progress import Event, Progress, ProgressFile
from cluster.stack.supervisor import Stack

CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")


def test_fresh_deletes_exports_and_data_and_only_then_keeps_the_new_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    before = make(Options(home=home), CLEAN).secrets
    elsewhere = tmp_path / "elsewhere"
    plan = make(Options(home=home, fresh=True), {**CLEAN, "EXPORT_DIR": str(elsewhere)})
    data = plan.paths.exports / "an-export" / "data"
    data.mkdir(parents=True)
    (data / "orders-part-00000-1.parquet").write_text("rows")
    (plan.paths.exports / "notes").write_text("x")
    (plan.paths.build / "seeded").write_text("x")
    wiped: list[str] = []

    def wipe(service: EmbeddedPostgres | EmbeddedValkey) -> None:
        assert secrets.ensure(plan.paths.secrets) == before
        wiped.append(type(service).__name__)

    monkeypatch.setattr(EmbeddedPostgres, "wipe", wipe)
    monkeypatch.setattr(EmbeddedValkey, "wipe", wipe)
    events: list[Event] = []
    Stack(plan, Progress(events.append))._wipe()
    assert wiped == ["EmbeddedPostgres", "EmbeddedValkey"]
    assert list(plan.paths.exports.iterdir()) == []
    assert not (plan.paths.build / "seeded").exists()
    assert secrets.ensure(plan.paths.secrets) == plan.secrets
    assert f"EXPORT_DIR {elsewhere} keeps its files" in events[-1].text


@pytest.mark.parametrize(("production", "asked"), [(True, ["alembic", "db.seed"]), (False, ["alembic"])])
def test_production_looks_for_demo_accounts_once_the_schema_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, production: bool, asked: list[str]
) -> None:
    ran: list[str] = []

    def run_module(module: str, arguments: list[str], env: dict[str, str], log_file: Path) -> str:
        ran.append(module)
        assert module == "alembic" or arguments == ["--refuse-demo"]
        return ""

    monkeypatch.setattr(applications, "run_module", run_module)
    stack = Stack(make(Options(home=tmp_path / "home", production=production), CLEAN), Progress())
    stack._migrate()
    assert ran == asked


@pytest.mark.parametrize(("shards", "warned"), [(1, False), (60, True)])
def test_broker_shards_that_were_added_and_need_too_many_connections_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int, warned: bool
) -> None:
    events: list[Event] = []
    stack = Stack(make(Options(home=tmp_path / "home"), CLEAN), Progress(events.append))
    monkeypatch.setattr(EmbeddedPostgres, "start", lambda postgres: None)
    monkeypatch.setattr(EmbeddedPostgres, "description", "PostgreSQL")
    monkeypatch.setattr(external, "check_postgres", lambda url: external.ExternalPostgres("18", 200, shards))
    stack._start_postgres()
    assert any("./mobula shards" in event.text for event in events) is warned
    assert events[-1].state == "done"


@pytest.mark.parametrize("owner", ["", "postgresql://u:p@db.example/shop"])
def test_every_database_is_seeded_once_and_another_one_at_the_same_address_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    told = {"identity": "", "demo": False}
    seeds: list[str] = []

    def run_module(module: str, arguments: list[str], env: dict[str, str], log_file: Path) -> str:
        seeds.append(str(told["identity"]))
        return "Seeded 3 rows"

    def found(url: str) -> external.ExternalPostgres:
        return external.ExternalPostgres("18", 200, identity=str(told["identity"]))

    monkeypatch.setattr(EmbeddedPostgres, "start", lambda postgres: None)
    monkeypatch.setattr(EmbeddedPostgres, "description", "PostgreSQL")
    monkeypatch.setattr(external, "check_postgres", found)
    monkeypatch.setattr(external, "has_demo_accounts", lambda url: bool(told["demo"]))
    monkeypatch.setattr(applications, "run_module", run_module)
    environ = {**CLEAN, "DATABASE_URL": owner} if owner else CLEAN

    def start(identity: str, *, seed: bool = True, demo: bool = True) -> object:
        told.update(identity=identity, demo=demo)
        plan = make(Options(home=tmp_path / "home", seed=seed), environ)
        stack = Stack(plan, Progress())
        stack._start_postgres()
        stack._seed()
        stack._write_status()
        return daemon_state.read_status(plan.paths)["demo"]

    assert start("1/5", seed=False, demo=False) is False
    assert seeds == []
    assert start("1/5") is True
    assert start("1/5") is True
    assert seeds == ["1/5"]
    assert start("2/5", demo=False) is False, "it has data of its own, and was left alone"
    assert start("1/5") is True
    assert seeds == ["1/5", "2/5", "1/5"]
    (tmp_path / "home" / "build" / "seeded").write_text("Seeded 3 rows\n")  # as former versions wrote it
    assert start("1/5") is True
    assert start("1/5", seed=False) is True
    assert seeds == ["1/5", "2/5", "1/5", "1/5"]
    for _ in range(2):  # one that does not say which it is
        start("")
    assert seeds[4:] == ["", ""]


def test_production_is_not_seeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applications, "run_module", lambda *_: pytest.fail("seeded"))
    monkeypatch.setattr(external, "has_demo_accounts", lambda url: True)
    stack = Stack(make(Options(home=tmp_path / "home", production=True), CLEAN), Progress())
    stack._seed()
    stack._write_status()
    assert daemon_state.read_status(stack.plan.paths)["demo"] is False


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can write what the supervisor tells, as files or on the terminal."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(daemon_state, "write_private", refuse)
    monkeypatch.setattr(ProgressFile, "__call__", refuse)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(processes, "end_all", lambda *_, **__: (False, []))
    plan = make(Options(home=tmp_path / "home", frontend=False), CLEAN)
    return Stack(plan, Progress(ProgressFile(plan.paths.run / "progress.jsonl")))


def test_everything_is_stopped_also_with_a_full_disk_and_when_a_part_does_not_end(
    stack: Stack, full_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def refuse(valkey: EmbeddedValkey) -> None:
        raise TimeoutError("valkey (pid 7) does not end")

    monkeypatch.setattr(stack._head, "stop", lambda: stopped.append("Ray") or [])
    monkeypatch.setattr(EmbeddedValkey, "stop", refuse)
    monkeypatch.setattr(EmbeddedPostgres, "stop", lambda postgres: stopped.append("Postgres"))
    assert stack.stop() == ["Valkey (valkey (pid 7) does not end)"]
    assert stopped == ["Ray", "Postgres"]


class Watched:
    """What `watch` looks at, until `rounds` are over. `deploy` fails so many times."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch, *, rounds: int, failures: int = 0) -> None:
        self.raylet_lives = True
        self.did: list[str] = []
        self.failures = failures
        self._stack, self._rounds = stack, rounds
        monkeypatch.setattr(supervisor, "WATCH_S", 0.0)
        monkeypatch.setattr(supervisor, "Deployment", lambda *_: None)
        monkeypatch.setattr(EmbeddedPostgres, "ensure_running", lambda postgres: True)
        monkeypatch.setattr(EmbeddedValkey, "ensure_running", lambda valkey: self.round())
        monkeypatch.setattr(stack._head, "is_node_alive", lambda: self.raylet_lives)
        monkeypatch.setattr(stack._head, "ensure_gcs", lambda: False)
        monkeypatch.setattr(stack, "_start_ray", self.start_ray)
        monkeypatch.setattr(stack, "_deploy", self.deploy)

    def round(self) -> bool:
        self._rounds -= 1
        if self._rounds == 0:
            self._stack.request_stop()
        return False

    def start_ray(self) -> None:
        self.did.append("ray")
        self.raylet_lives = True

    def deploy(self, deployment: object) -> None:
        self.did.append("deploy")
        self.failures -= 1
        if self.failures >= 0:
            raise ServiceError("no memory")


def test_a_full_disk_does_not_end_the_watch(stack: Stack, full_disk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Watched(stack, monkeypatch, rounds=3)
    stack.watch()
    assert stack.is_stopping


def test_logs_of_services_that_do_not_end_are_turned_over(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.services.process.LOG_BYTES", 10)
    for name in ("postgres", "valkey", "frontend", "gcs"):
        (stack.plan.paths.logs / f"{name}.log").write_text("more than ten bytes")
    Watched(stack, monkeypatch, rounds=2)
    stack.watch()
    for name in ("postgres", "valkey", "frontend", "gcs"):
        assert (stack.plan.paths.logs / f"{name}.log").read_text() == ""
        assert (stack.plan.paths.logs / f"{name}.log.1").read_text() == "more than ten bytes"


def test_what_could_not_be_written_is_written_later(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(daemon_state, "write_private", refuse)
        stack._write_status()
    assert daemon_state.read_status(stack.plan.paths) == {}
    stack._write_status()
    assert daemon_state.read_status(stack.plan.paths)["state"] == "starting"


def test_after_a_raylet_s_death_applications_are_deployed_until_they_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(stack, monkeypatch, rounds=6, failures=2)
    watched.raylet_lives = False
    stack.watch()
    assert watched.did == ["ray", "deploy", "deploy", "deploy"]
    assert daemon_state.read_status(stack.plan.paths)["state"] == "ready"


def test_applications_that_cannot_be_deployed_are_left_alone_for_a_while(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(stack, monkeypatch, rounds=20, failures=20)
    watched.raylet_lives = False
    stack.watch()
    assert watched.did == ["ray", *["deploy"] * supervisor.CRASH_LOOP[0]]
    assert daemon_state.read_status(stack.plan.paths)["state"] == "restarting Ray"


LASTING = """
import json, signal, sys
sys.stdin.readline()
print(json.dumps({"event": "running", "application": "api"}), flush=True)
signal.pause()
"""


@pytest.mark.parametrize("moment", ["before it is known", "while it lasts", "while its applications start"])
def test_a_stop_is_heard_while_applications_are_deployed_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str
) -> None:
    script, python = tmp_path / "deploy.py", tmp_path / "python"
    script.write_text("" if moment == "while its applications start" else LASTING)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(applications.sys, "executable", str(python))
    monkeypatch.setattr(supervisor, "WATCH_S", 0.0)
    for service in (EmbeddedPostgres, EmbeddedValkey):
        monkeypatch.setattr(service, "ensure_running", lambda _: False)
    monkeypatch.setattr(stack._head, "is_node_alive", lambda: True)
    monkeypatch.setattr(stack._head, "ensure_gcs", lambda: False)
    made: list[Deployment] = []
    events: list[Event] = []

    def make_deployment(env: dict[str, str], log_file: Path) -> Deployment:
        made.append(Deployment(env, log_file))
        if moment == "before it is known":
            stack.request_stop()
        return made[0]

    def wait_for(url: str, *, limit_s: float, alive: Callable[[], bool]) -> bool:
        assert alive()
        stack.request_stop()
        return alive()

    def listen(event: Event) -> None:
        events.append(event)
        if event.text == "api runs":
            stack.request_stop()

    monkeypatch.setattr(supervisor, "Deployment", make_deployment)
    monkeypatch.setattr(supervisor, "wait_for", wait_for)
    stack._progress.listen(listen)
    stack._applications_wanted = True
    watching = threading.Thread(target=stack.watch, daemon=True)
    watching.start()
    watching.join(20.0)
    still_there = watching.is_alive()
    made[0].cancel()
    assert not still_there
    assert stack.is_stopping
    assert not any("cannot be restarted" in event.text for event in events)
    assert all(event.state != "done" for event in events)
