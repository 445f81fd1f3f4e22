"""Opening an api replica's clients. The actors themselves are tested in the cluster tier."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from actors.hosts.contract import HostReport
from serve_app import actor_clients
from tests.fixtures.client import SIGNING_KEYS, build_settings


class Client:
    """Something that starts and stops, and says so."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def start(self) -> None:
        self.log.append(f"start {self.name}")

    async def stop(self) -> None:
        self.log.append(f"stop {self.name}")


class Pusher(Client):
    def start(self) -> None:  # type: ignore[override]
        self.log.append(f"start {self.name}")

    async def merged(self) -> tuple[()]:
        return ()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    for name in ("brokers", "sessions", "caches"):
        module = getattr(actor_clients, name)
        monkeypatch.setattr(module, "connect", lambda *_, name=name: Client(name, lines))
    monkeypatch.setattr(actor_clients.metrics, "connect", lambda *_, **__: Pusher("metrics", lines))
    return lines


def settings(folder: Path, **values: Any) -> Any:
    pem = SIGNING_KEYS.signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "signing.pem"
    file.write_bytes(pem)
    return build_settings("postgresql://nobody@127.0.0.1:1/none", signing_key_file=file, **values)


async def test_starts_and_stops_everything(log: list[str], tmp_path: Path):
    resources = await actor_clients.open_resources(settings(tmp_path))
    assert log == ["start brokers", "start sessions", "start caches", "start metrics"]
    assert resources.actors.brokers is not None
    log.clear()
    await resources.close()
    assert log == ["stop metrics", "stop caches", "stop sessions", "stop brokers"]


async def test_the_actors_are_well_when_every_shard_is_ready(
    log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ready = {"brokers/0": True, "jobs/0": True}

    async def report(_index: int) -> HostReport:
        return HostReport("incarnation", 1, 0, active=True, ready=ready)

    monkeypatch.setattr(actor_clients.hosts, "report", report)
    resources = await actor_clients.open_resources(settings(tmp_path))
    assert resources.actors.check is not None
    await resources.actors.check()
    ready["jobs/0"] = False
    with pytest.raises(RuntimeError, match="jobs/0"):
        await resources.actors.check()
    await resources.close()


async def test_operators_see_every_process_of_the_hosts_and_who_owns_the_buckets(
    log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def report(_index: int, side: int) -> HostReport:
        return HostReport("incarnation", 1, side, active=side == 0, ready={})

    async def call(_shard: int, method: str, _payload: bytes, _timeout_s: float) -> bytes:
        assert method == "owners"
        return msgspec.msgpack.encode({0: 1})

    monkeypatch.setattr(actor_clients.hosts, "report", report)
    monkeypatch.setattr(actor_clients.hosts, "sides", lambda: 2)
    monkeypatch.setattr(actor_clients.brokers, "call", call)
    resources = await actor_clients.open_resources(settings(tmp_path, shard_hosts=2))
    assert resources.actors.survey_hosts is not None
    assert [(each.host, each.side) for each in await resources.actors.survey_hosts()] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert resources.actors.bucket_owners is not None
    assert await resources.actors.bucket_owners() == {0: 1}
    await resources.close()
