from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.brokers.contract import ClientInfo
from actors.metrics.registry import ACTIVE_CONNECTIONS, HAPROXY_PROCESSES, OLD_HAPROXY_CONNECTIONS, SHARED_POLL_KEYS
from cluster.ray_runtime.generations import Generation
from cluster.stack.budget import CONNECTIONS_PER_REPLICA
from db.session_events.store import Departed
from serve_app.realtime import backends
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.hub import settle
from tests.fixtures.realtime_server import realtime_settings

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


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


class FakeChannels:
    roster: Any = None


class FakeHub:
    channels = FakeChannels()
    env = SimpleNamespace(wall=lambda: 1000.0)
    peers = ()
    boot_id = "boot"
    connections = 3
    polls = SimpleNamespace(keys=7)
    retirement = SimpleNamespace(old=lambda living: 2 * len(living[:-1]))


async def test_a_hub_gets_every_client_and_reports_its_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log: list[str] = []
    measure: list[Any] = []
    monkeypatch.setattr(backends.brokers, "connect", lambda boot, sink: Client(f"brokers {boot}", log))
    monkeypatch.setattr(backends.sessions, "connect", lambda boot, sink: Client(f"sessions {boot}", log))

    def pusher(boot: str, *, before_push: Any) -> Pusher:
        measure.append(before_push)
        return Pusher(f"metrics {boot}", log)

    monkeypatch.setattr(backends.metrics, "connect", pusher)
    living = [Generation(number, 0.0, "a") for number in (1, 2, 3)]
    monkeypatch.setattr(backends.generations, "living", lambda directory: living)
    monkeypatch.setattr(backends, "get_settings", lambda: realtime_settings(tmp_path, database_url=NOWHERE))
    made = backends.connect(FakeHub())  # type: ignore[arg-type]
    assert FakeHub.channels.roster is not None
    await made.start()
    await settle()
    await made.stop()
    assert log == [
        "start brokers boot", "start sessions boot", "start metrics boot",
        "stop metrics boot", "stop sessions boot", "stop brokers boot",
    ]  # fmt: skip
    measure[0]()
    assert ACTIVE_CONNECTIONS._value.get() == 3
    assert SHARED_POLL_KEYS._value.get() == 7
    assert (HAPROXY_PROCESSES._value.get(), OLD_HAPROXY_CONNECTIONS._value.get()) == (3, 4)


def test_the_application_of_a_replica_needs_a_database(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, database_url="postgresql://nobody@localhost/none")
    assert isinstance(backends.build_application(settings), RealtimeApplication)
    with pytest.raises(ValueError, match="no database"):
        backends.build_application(realtime_settings(tmp_path))


def test_who_left_is_told_channel_by_channel() -> None:
    gone = [Departed("c1", "room:a", "u1", b"{}", b""), Departed("c2", "room:b", "u2", b"", b"1")]
    assert backends.by_channel([*gone, Departed("c3", "room:a", "u3", b"", b"")]) == {
        "room:a": [ClientInfo("u1", "c1", b"{}"), ClientInfo("u3", "c3")],
        "room:b": [ClientInfo("u2", "c2", b"", b"1")],
    }


def test_a_replica_opens_no_more_connections_than_are_counted(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, database_url=NOWHERE, database_pool_size=9, database_max_overflow=9)
    application = backends.build_application(settings)
    assert application._database is not None
    pool: Any = application._database.engine.pool
    roster = 1
    assert pool.size() + pool._max_overflow + roster == CONNECTIONS_PER_REPLICA
