import asyncio
from typing import Any

import pytest

from actors.brokers.contract import Publication
from actors.protocol.namespace import Namespace
from serve_app.realtime.batching import BATCH_BYTES, Batch
from tests.fixtures.waiting import eventually


def rules(**options: Any) -> Namespace:
    return Namespace(**{"batch_max_delay_ms": 60_000, **options})


def publications(*texts: str, **fields: Any) -> list[Publication]:
    return [Publication(text.encode(), **fields) for text in texts]


def texts(batch: Batch) -> list[str]:
    return [publication.data.decode() for publication in batch.take()]


async def add(batch: Batch, found: list[Publication]) -> bool:
    return batch.add(found, asyncio.get_running_loop())


async def test_what_gathers_is_due_after_the_delay() -> None:
    due: list[bool] = []
    batch = Batch(rules(batch_max_delay_ms=1), lambda: due.append(True))
    assert not await add(batch, publications("1", "2"))
    assert not await add(batch, publications("3"))
    await eventually(lambda: due == [True])
    assert texts(batch) == ["1", "2", "3"]
    await add(batch, publications("4"))
    batch.cancel()
    batch.cancel()
    assert texts(batch) == ["4"]


async def test_a_full_batch_leaves_at_once() -> None:
    batch = Batch(rules(batch_max_size=3), lambda: None)
    assert not await add(batch, publications("1", "2"))
    assert await add(batch, publications("3"))
    assert texts(batch) == ["1", "2", "3"]
    assert await add(batch, publications("x" * BATCH_BYTES))
    batch.cancel()


async def test_only_the_latest_of_each_key_remains() -> None:
    batch = Batch(rules(batch_flush_latest=True, batch_max_size=1), lambda: None)
    assert not await add(batch, [*publications("a1", "a2", key="a"), *publications("b1", key="b")])
    await add(batch, publications("a3", key="a"))
    assert texts(batch) == ["b1", "a3"]


@pytest.mark.parametrize("excluded", [{"exclude_clients": ("c",)}, {"exclude_users": ("u",)}])
async def test_those_whom_the_latest_leaves_out_get_the_one_before(excluded: dict[str, tuple[str, ...]]) -> None:
    batch = Batch(rules(batch_flush_latest=True), lambda: None)
    await add(batch, [*publications("1", "2"), *publications("3", **excluded)])
    assert texts(batch) == ["2", "3"]


@pytest.mark.parametrize(
    "other", [{"batch_max_delay_ms": 1}, {"batch_max_size": 3}, {"batch_flush_latest": True}, {"batch_max_delay_ms": 0}]
)
def test_it_keeps_to_rules_that_say_the_same_of_batches(other: dict[str, Any]) -> None:
    batch = Batch(rules(), lambda: None)
    assert batch.keeps_to(rules(presence=True))
    assert not batch.keeps_to(rules(**other))
