import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.cli import testing
from cluster.paths import Paths
from cluster.ray_runtime.environment import MARKER
from cluster.settings import ROOT
from tests.fixtures.command import MobulaCommand


def test_an_unknown_tier_is_refused_with_the_known_ones(mobula: MobulaCommand) -> None:
    shown = mobula.run("test", "smoke")
    assert shown.exit_code == 2
    assert "unit, integration, cluster, e2e" in shown.output


def test_every_tier_runs_in_order_and_one_failure_fails_all(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    ran: list[str] = []

    def tier(name: str, *_: object) -> list[testing.Result]:
        ran.append(name)
        return [testing.Result(name, name != "integration", 0.0)]

    monkeypatch.setattr(testing, "_run_tier", tier)
    shown = mobula.run("test")
    assert ran == ["unit", "integration", "cluster", "e2e"]
    assert shown.exit_code == 1
    assert "tests failed: integration" in shown.output
    ran.clear()
    assert mobula.run("test", "e2e", "unit").exit_code == 0
    assert ran == ["unit", "e2e"]


def test_the_core_is_held_to_its_floor_only_when_all_of_it_was_measured(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    floors: list[bool] = []

    def coverage(*, floor: bool) -> list[testing.Result]:
        floors.append(floor)
        return [testing.Result("core coverage", not floor, 0.0)]

    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(testing, "_run_tier", lambda name, *_: [testing.Result(name, True, 0.0)])
    monkeypatch.setattr(testing, "_coverage", coverage)
    assert mobula.run("test").exit_code == 1
    assert mobula.run("test", "unit").exit_code == 0
    assert mobula.run("test", "-k", "orders").exit_code == 0
    assert floors == [True, False, False]


def test_the_logs_of_a_failed_tier_are_where_ci_looks_for_them(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    homes: dict[str, Path] = {}

    def pytest_of(tier: str, extra: object, env: dict[str, str]) -> bool:
        homes[tier] = Path(env["MOBULA_TEST_STACK_HOME"])
        return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(testing, "_pytest", pytest_of)
    monkeypatch.setattr(testing, "_build_frontend", lambda: True)
    for tier in ("cluster", "e2e"):
        named = steps[tier]["env"]["MOBULA_TEST_STACK_HOME"]
        workspace = mobula.home.parent
        monkeypatch.setenv("MOBULA_TEST_STACK_HOME", named.replace("${{ github.workspace }}", str(workspace)))
        assert mobula.run("test", tier).exit_code == 0
        (upload,) = [step for step in steps[tier]["steps"] if "upload-artifact" in step.get("uses", "")]
        assert f"{homes[tier].relative_to(workspace)}/logs/" in upload["with"]["path"].split()
        assert upload["with"]["include-hidden-files"] is True
    assert homes["cluster"] != homes["e2e"]


def test_each_worker_of_the_integration_tier_has_servers_of_its_own(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[Path] = []
    given: list[tuple[dict[str, str], list[Path], list[str]]] = []

    class Server:
        def __init__(self, data: Path, **_: object) -> None:
            self.data, self.dsn = data, f"redis://{data}/0"

        def dsn_of(self, database: str) -> str:
            return f"postgresql://{self.data}/{database}"

        def start(self) -> None:
            running.append(self.data)

        def stop(self) -> None:
            running.remove(self.data)

    def pytest_of(tier: str, extra: list[str], env: dict[str, str]) -> bool:
        given.append((env, list(running), extra))
        return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("MOBULA_TEST_DATABASE_URL", raising=False)
    monkeypatch.setattr(testing, "WORKERS", 2)
    monkeypatch.setattr(testing, "EmbeddedPostgres", Server)
    monkeypatch.setattr(testing, "EmbeddedValkey", Server)
    monkeypatch.setattr(testing, "_pytest", pytest_of)
    assert mobula.run("test", "integration").exit_code == 0
    ((env, seen, extra),) = given
    workers = [f"{kind}_gw{number}" for number in (0, 1) for kind in ("DATABASE_URL", "REDIS_URL")]
    assert list(env) == [f"MOBULA_TEST_{name}" for name in workers]
    assert len(set(env.values())) == len(set(seen)) == 4
    assert extra[:2] == ["-n", "2"]
    assert running == []

    # Servers that the caller names belong to one process: tests see the transactions of all of a server's databases.
    monkeypatch.setenv("MOBULA_TEST_DATABASE_URL", "postgresql://given/postgres")
    assert mobula.run("test", "integration").exit_code == 0
    assert given[1][0] == {}
    assert "-n" not in given[1][2]


def test_without_a_folder_of_the_caller_s_a_stack_s_home_goes_with_the_run(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes: list[Path] = []

    def pytest_of(tier: str, extra: object, env: dict[str, str]) -> bool:
        homes.append(Path(env["MOBULA_TEST_STACK_HOME"]))
        homes[0].mkdir()
        return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("MOBULA_TEST_STACK_HOME", raising=False)
    monkeypatch.setattr(testing, "_pytest", pytest_of)
    assert mobula.run("test", "cluster").exit_code == 0
    assert not homes[0].exists()


def test_what_a_test_session_left_behind_is_ended_and_ray_s_logs_are_kept(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A session that dies (its `pytest` is a script here) leaves a process and Ray's logs in the short directory."""
    short = tmp_path / "s"
    short.mkdir()
    monkeypatch.setattr("cluster.paths.SHORT_BASE", short)
    paths = Paths(tmp_path / "kept" / "cluster")
    paths.prepare()
    logs = paths.ray / "session_latest" / "logs"
    logs.mkdir(parents=True)
    (logs / "raylet.out").write_text("why it died")
    left = [sys.executable, "-c", "import signal; signal.pause()"]
    orphan = subprocess.Popen(left, env={MARKER: str(paths.home)})
    monkeypatch.setattr(testing.sys, "executable", "/bin/false")
    assert testing._pytest("cluster", [], {"MOBULA_TEST_STACK_HOME": str(paths.home)}) is False
    assert orphan.wait(timeout=20) != 0
    assert (paths.ray_logs / "raylet.out").read_text() == "why it died"
