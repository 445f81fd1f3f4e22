from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from actors.metrics.registry import ACTIVE_CONNECTIONS, HAPROXY_PROCESSES, OLD_HAPROXY_CONNECTIONS
from cluster.ray_runtime.generations import Generation
from serve_app.realtime import backends
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.hub import settle
from tests.fixtures.realtime_server import realtime_settings


class Client:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def start(self) -> None:
        self.log.append(f"start {self.name}")

    async def stop(self) -> None:
        self.log.append(f"stop {self.name}")


class Pusher(Client):
    def start(self) -> None:  # type: ignore[override]
        self.log.append(f"start {self.name}")


class FakeHub:
    channels = None
    boot_id = "boot"
    connections = 3

    def behind(self, generations: Collection[int]) -> int:
        return 2 * len(generations)


async def test_a_hub_gets_every_client_and_reports_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    measure: list[Any] = []
    monkeypatch.setattr(backends.brokers, "connect", lambda boot, sink: Client(f"brokers {boot}", log))
    monkeypatch.setattr(backends.sessions, "connect", lambda boot, sink: Client(f"sessions {boot}", log))

    def pusher(boot: str, *, before_push: Any) -> Pusher:
        measure.append(before_push)
        return Pusher(f"metrics {boot}", log)

    monkeypatch.setattr(backends.metrics, "connect", pusher)
    living = [Generation(number, 0.0) for number in (1, 2, 3)]
    monkeypatch.setattr(backends.generations, "living", lambda directory: living)
    made = backends.connect(FakeHub())  # type: ignore[arg-type]
    await made.start()
    await settle()
    await made.stop()
    assert log == [
        "start brokers boot", "start sessions boot", "start metrics boot",
        "stop metrics boot", "stop sessions boot", "stop brokers boot",
    ]  # fmt: skip
    measure[0]()
    assert ACTIVE_CONNECTIONS._value.get() == 3
    assert (HAPROXY_PROCESSES._value.get(), OLD_HAPROXY_CONNECTIONS._value.get()) == (3, 4)


def test_the_application_of_a_replica_needs_a_database(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, database_url="postgresql://nobody@localhost/none")
    assert isinstance(backends.build_application(settings), RealtimeApplication)
    with pytest.raises(ValueError, match="no database"):
        backends.build_application(realtime_settings(tmp_path))
