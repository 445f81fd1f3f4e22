import subprocess
from typing import Any

import pytest

from cluster.paths import Paths
from cluster.stack import daemon_state
from cluster.stack.daemon_state import AlreadyRunning
from cluster.stack.plan import Options
from tests.fixtures.command import MobulaCommand


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if argv[-1] == "--help" and "--help" not in argv[:-1]:  # the question whether all words are understood
            return subprocess.CompletedProcess(argv, 2 if "typo" in argv else 0)
        commands.append(argv[1:])
        return subprocess.CompletedProcess(argv, 7)

    monkeypatch.setattr("cluster.cli.measuring.subprocess.run", run)
    return commands


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> list[str]:
    """What happens to a stack, in order; starting one answers 0."""
    happened: list[str] = []

    def detach(options: Options, listener: Any, environ: dict[str, str], *, outlives_us: bool) -> int:
        assert not outlives_us
        happened.append(f"up frontend={options.frontend} limit={environ['RATE_LIMIT_PER_MINUTE']}")
        return 0

    monkeypatch.setattr("cluster.cli.measuring.runner.detach", detach)
    monkeypatch.setattr("cluster.cli.measuring.stop_everything", lambda paths: happened.append("down"))
    return happened


@pytest.fixture
def running(mobula: MobulaCommand) -> Any:
    paths = Paths(mobula.home)
    paths.run.mkdir(parents=True)
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    yield
    lock.release()


def test_options_and_status_are_passed_on(
    mobula: MobulaCommand, ran: list[list[str]], started: list[str], running: None
) -> None:
    assert mobula.run("bench", "fanout", "--sockets", "10").exit_code == 7
    assert mobula.run("load", "smoke", "--users", "3").exit_code == 7
    assert ran == [
        ["-m", "loadtests.bench", "fanout", "--sockets", "10"],
        ["-m", "loadtests.smoke", "--users", "3"],
    ]
    assert started == []


def test_a_stack_is_started_for_the_measurement_and_stopped_after_it(
    mobula: MobulaCommand, ran: list[list[str]], started: list[str]
) -> None:
    assert mobula.run("bench", "rest").exit_code == 7
    assert ran == [["-m", "loadtests.bench", "rest"]]
    assert started == ["up frontend=False limit=0", "down"]


def test_what_is_idle_includes_the_front_end(mobula: MobulaCommand, ran: list[list[str]], started: list[str]) -> None:
    assert mobula.run("bench", "idle").exit_code == 7
    assert started == ["up frontend=True limit=0", "down"]


@pytest.mark.parametrize("extra", [["--help"], ["--url", "http://127.0.0.1:1"], ["--url=http://127.0.0.1:1"]])
def test_a_stack_elsewhere_and_a_question_start_nothing(
    mobula: MobulaCommand, ran: list[list[str]], started: list[str], extra: list[str]
) -> None:
    assert mobula.run("bench", "rest", "--", *extra).exit_code == 7
    assert started == []


def test_a_stack_that_does_not_start_is_said(
    mobula: MobulaCommand, ran: list[list[str]], started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.cli.measuring.runner.detach", lambda *_, **__: 1)
    refused = mobula.run("bench", "rest")
    assert refused.exit_code == 1
    assert "nothing was measured" in refused.output
    assert ran == started == []


@pytest.mark.parametrize(
    ("problem", "stopped"),
    [(KeyboardInterrupt(), ["down"]), (BrokenPipeError(), ["down"]), (AlreadyRunning("by somebody else"), [])],
)
def test_a_start_that_is_cut_short_leaves_no_stack_of_ours(
    mobula: MobulaCommand,
    ran: list[list[str]],
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    stopped: list[str],
) -> None:
    def detach(*_: Any, **__: Any) -> int:
        raise problem

    monkeypatch.setattr("cluster.cli.measuring.runner.detach", detach)
    assert mobula.run("bench", "rest").exit_code != 0
    assert (ran, started) == ([], stopped)


def test_a_benchmark_needs_a_name(mobula: MobulaCommand, ran: list[list[str]]) -> None:
    assert mobula.run("bench").exit_code == 2
    assert ran == []


@pytest.mark.parametrize("words", [("bench", "typo"), ("load", "typo"), ("bench", "rest", "--seconds", "typo")])
def test_a_word_that_is_not_understood_starts_nothing(
    mobula: MobulaCommand, ran: list[list[str]], started: list[str], words: tuple[str, ...]
) -> None:
    assert mobula.run(*words).exit_code == 2
    assert (ran, started) == ([], [])


def test_what_is_not_understood_is_said_by_the_benchmarks_themselves(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    starts: list[Any] = []
    monkeypatch.setattr("cluster.cli.measuring.runner.detach", lambda *given, **_: starts.append(given))
    assert mobula.run("bench", "fan-out").exit_code == 2
    assert "invalid choice: 'fan-out'" in capfd.readouterr().err
    assert mobula.run("bench", "rest", "--seconds", "soon").exit_code == 2
    assert "no such load test: browse (there are smoke, web)" in mobula.run("load", "browse").output
    assert starts == []
