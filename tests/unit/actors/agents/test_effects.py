"""Commits of jobs wake, poke and invalidate."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from actors.agents import effects
from db.effects import CacheInvalidated, Effect, JobsEnqueued, PublicationsQueued

Handler = Callable[[Sequence[Any]], Awaitable[None]]


class Committed:
    """A database object, as far as `register` uses it."""

    def __init__(self) -> None:
        self.handlers: dict[type[Effect], Handler] = {}

    def on_commit(self, effect: type[Effect], handler: Handler) -> None:
        self.handlers[effect] = handler


class Cache:
    def __init__(self) -> None:
        self.seen: list[tuple[Sequence[str], Sequence[str]]] = []

    async def get_or_load(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    async def invalidate(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
        self.seen.append((keys, tags))


async def test_each_effect_reaches_its_actor_once_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[Sequence[object]] = []
    poked: list[Sequence[str]] = []

    async def wake(lines: Sequence[object]) -> None:
        woken.append(lines)

    async def poke(channels: Sequence[str]) -> None:
        poked.append(channels)

    monkeypatch.setattr(effects.jobs, "wake", wake)
    monkeypatch.setattr(effects.brokers, "poke", poke)
    database, cache = Committed(), Cache()
    effects.register(database, cache=cache)  # type: ignore[arg-type]
    await database.handlers[JobsEnqueued]([JobsEnqueued(("b", "a")), JobsEnqueued(("a",), (("c", "k"),))])
    await database.handlers[PublicationsQueued]([PublicationsQueued(("c",)), PublicationsQueued(("c", "d"))])
    await database.handlers[CacheInvalidated]([CacheInvalidated(keys=("k",)), CacheInvalidated(tags=("t",))])
    assert (woken, poked, cache.seen) == ([["a", "b", ("c", "k")]], [["c", "d"]], [(["k"], ["t"])])


async def test_a_worker_without_a_cache_leaves_invalidations_to_the_rows() -> None:
    database = Committed()
    effects.register(database)  # type: ignore[arg-type]
    await database.handlers[CacheInvalidated]([CacheInvalidated(keys=("k",))])
