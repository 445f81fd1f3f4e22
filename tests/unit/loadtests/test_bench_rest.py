"""CPU per request, measured on the plain peer; refusals are not measured."""

from pathlib import Path

import pytest

from loadtests import bench_rest
from loadtests.bench_rest import RequestsRefused, database_url, measure
from loadtests.processes import peer
from loadtests.stack import StackNotReady


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_rest, "WARM_UP_S", 0.05)


async def test_measures_a_route() -> None:
    async with peer("loadtests.peers.rest") as (process, port):
        outcome = await measure(f"http://127.0.0.1:{port}", bench_rest.LIVE, [process], 0.3)
        assert outcome.tally.requests > 10
        assert outcome.cpu_us > 0
        assert outcome.rate > 10


async def test_a_route_that_refuses_is_not_measured() -> None:
    async with peer("loadtests.peers.rest") as (process, port):
        with pytest.raises(RequestsRefused, match="404"):
            await measure(f"http://127.0.0.1:{port}", "/nowhere", [process], 0.1)


def test_database_of_the_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    with pytest.raises(StackNotReady):
        database_url()
    (tmp_path / "state.env").write_text("OTHER=1\nDATABASE_URL='postgresql://a@b/c'\n", encoding="utf-8")
    assert database_url() == "postgresql+asyncpg://a@b/c"
    monkeypatch.setenv("DATABASE_URL", "postgresql://x@y/z")
    assert database_url() == "postgresql+asyncpg://x@y/z"
