"""Agreeing on rules with the shards; the calls themselves are tested in the cluster."""

import asyncio

import msgspec
import pytest

from actors.brokers import handle
from cluster.names import BUCKETS
from cluster.settings import Settings
from tests.fixtures.simulation import simulate


class Rows:
    """Whose the buckets are; nothing was moved."""

    def __init__(self) -> None:
        self.owners: dict[int, int] = {}
        self.failing = 0


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch, rows: Rows) -> dict[int, list[str]]:
    """What each shard answers, one after the other; the last answer is repeated."""
    answers: dict[int, list[str]] = {0: ["new"], 1: ["new"]}

    async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
        if (method, shard) == ("owners", 0):
            if rows.failing:
                rows.failing -= 1
                raise OSError("no database")
            return msgspec.msgpack.encode(rows.owners)
        assert (method, payload) == ("rules", b"")
        given = answers[shard].pop(0) if len(answers[shard]) > 1 else answers[shard][0]
        if given == "gone":
            raise OSError("gone")
        return given.encode()

    settings = Settings(_env_file=None, broker_shards=2)  # type: ignore[call-arg]
    monkeypatch.setattr(handle, "call", call)
    monkeypatch.setattr(handle, "get_settings", lambda: settings)
    return answers


def waited() -> float:
    async def main() -> float:
        before = asyncio.get_running_loop().time()
        await handle.agree_on_rules("new")
        return asyncio.get_running_loop().time() - before

    return simulate(main())


def test_nothing_is_waited_for_when_all_have_the_rules(shards: dict[int, list[str]]) -> None:
    assert waited() == 0.0


def test_a_shard_that_has_them_later_is_waited_for(shards: dict[int, list[str]]) -> None:
    shards[1] = ["old", "gone", "new"]
    assert waited() == pytest.approx(2 * handle.AGREE_PAUSE_S)


@pytest.mark.parametrize("answer", ["old", "gone"])
def test_a_shard_that_never_has_them_is_not_waited_for_for_ever(shards: dict[int, list[str]], answer: str) -> None:
    shards[0] = [answer]
    assert handle.AGREE_LIMIT_S <= waited() < handle.AGREE_LIMIT_S + 1


def test_a_shard_that_was_added_is_waited_for(shards: dict[int, list[str]], rows: Rows) -> None:
    rows.owners, shards[2] = {5: 2}, ["old", "new"]
    assert waited() == pytest.approx(handle.AGREE_PAUSE_S)


def test_a_shard_that_was_removed_is_not_asked(shards: dict[int, list[str]], rows: Rows) -> None:
    rows.owners = dict.fromkeys(range(BUCKETS), 0)
    del shards[1]
    assert waited() == 0.0


def test_owners_that_cannot_be_read_at_first_are_read_again(shards: dict[int, list[str]], rows: Rows) -> None:
    rows.owners, rows.failing, shards[0], shards[2] = {5: 2}, 1, ["old", "new"], ["old", "old", "new"]
    assert waited() == pytest.approx(3 * handle.AGREE_PAUSE_S)
