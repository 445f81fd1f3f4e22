"""What nobody told of is found, and keys in portions."""

import pytest

from actors.jobs import discovery, ready
from actors.jobs.discovery import DISCOVER_S, Discovery
from actors.jobs.leases import LeaseBook
from actors.jobs.limits import Limits
from actors.jobs.ready import ReadyQueues


class Table:
    """The two questions of the store."""

    def __init__(self, keys: int) -> None:
        self.keys = [("q", f"{n:03}") for n in range(keys)]
        self.asked: list[tuple[str, str]] = []
        self.queues = 0

    async def waiting_queues(self) -> list[str]:
        self.queues += 1
        return ["plain"]

    async def waiting_keys(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        self.asked.append(after)
        return [key for key in self.keys if key > after][:limit]


def make(table: Table) -> tuple[Discovery, ReadyQueues]:
    queues = ReadyQueues(Limits({}, LeaseBook(0.0)))
    return Discovery(table, queues), queues  # type: ignore[arg-type]


async def test_the_table_is_asked_when_idle_and_from_time_to_time() -> None:
    table = Table(3)
    found, queues = make(table)
    await found.look(0.0, idle=False)
    await found.look(DISCOVER_S / 2, idle=False)
    assert (table.queues, len(table.asked), queues.keys) == (1, 1, 3)
    assert list(queues.may_start(0.0)) == ["plain", "q"]
    await found.look(DISCOVER_S, idle=False)
    await found.look(DISCOVER_S, idle=True)
    assert (table.queues, len(table.asked)) == (3, 3)


async def test_keys_are_found_a_portion_per_look_until_the_lap_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "KEYS_PER_LOOK", 10)
    table = Table(25)
    found, queues = make(table)
    for _ in range(5):
        await found.look(0.0, idle=False)
    assert table.asked == [("", ""), ("q", "009"), ("q", "019")]
    assert queues.keys == 25


async def test_after_news_of_many_keys_the_whole_ring_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "KEYS_PER_LOOK", 10)
    table = Table(25)
    found, queues = make(table)
    await found.look(0.0, idle=False)
    table.keys = sorted([*table.keys, ("q", "000a"), ("r", "k")])
    found.seek_keys()
    for _ in range(9):
        await found.look(0.0, idle=False)
    assert queues.keys == 27
    assert len(table.asked) == 6, "and then there is rest"


async def test_no_more_keys_are_looked_for_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (discovery, ready):
        monkeypatch.setattr(module, "KEYS_KNOWN", 15)
    monkeypatch.setattr(discovery, "KEYS_PER_LOOK", 10)
    table = Table(40)
    found, queues = make(table)
    for _ in range(5):
        await found.look(0.0, idle=False)
    assert (queues.keys, len(table.asked)) == (15, 2)
