"""One end that cannot be stored holds up no other."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.jobs import ends
from actors.jobs.ends import write_ends
from db.jobs.store import Busy, Finish, Release, Unstorable

OWNER = uuid4()


class Store:
    """Takes everything but what the test calls poison."""

    def __init__(self) -> None:
        self.poison: set[UUID] = set()
        self.busy: set[UUID] = set()
        self.finished: dict[UUID, Finish] = {}
        self.released: set[UUID] = set()
        self.calls = 0

    async def finish(self, items: Sequence[Finish]) -> set[UUID]:
        self.calls += 1
        if any(item.id in self.poison and item.state == "succeeded" for item in items):
            raise Unstorable("\x00 is no text")
        held = {item.id for item in items} & self.busy
        if held:
            raise Busy(held)
        self.finished |= {item.id: item for item in items}
        return {item.id for item in items}

    async def release(self, items: Sequence[Release]) -> set[UUID]:
        if any(item.id in self.poison for item in items):
            raise Unstorable("\x00 is no text")
        self.released |= {item.id for item in items} - self.busy
        return {item.id for item in items} & self.busy


async def write(store: Any, items: Sequence[Finish | Release]) -> tuple[set[UUID], int]:
    over: set[UUID] = set()
    ended = await write_ends(store, items, lambda item: over.add(item.id))
    return over, ended


def finishes(count: int) -> list[Finish]:
    return [Finish(uuid4(), OWNER, number, state="succeeded", result={}) for number in range(count)]


def releases(count: int) -> list[Release]:
    return [Release(uuid4(), OWNER, number, delay_s=1.0, error={"attempt": 3}) for number in range(count)]


async def test_what_cannot_be_stored_fails_its_own_job_and_the_others_end_as_they_did() -> None:
    store, good, back = Store(), finishes(20), releases(9)
    store.poison = {good[3].id, good[19].id, back[4].id}
    over, ended = await write(store, [*good, *back])
    assert over == {item.id for item in [*good, *back]}
    assert ended == 21, "an end that was to be another attempt is one too"
    states = {item.id: store.finished[item.id].state for item in good}
    assert {i for i, state in states.items() if state == "failed"} == {good[3].id, good[19].id}
    refused = store.finished[back[4].id]
    assert refused.error is not None
    assert (refused.state, refused.error["attempt"], refused.result) == ("failed", 3, None)
    assert "cannot be stored" in str(refused.error["error"])
    assert len(store.released) == 8


async def test_what_its_handler_holds_is_left_and_the_others_are_not() -> None:
    store, items = Store(), finishes(3)
    store.busy = {items[1].id}
    over, ended = await write(store, items)
    assert (over, ended) == ({items[0].id, items[2].id}, 2)


async def test_an_end_that_cannot_be_stored_and_is_held_just_now_is_left() -> None:
    store, items = Store(), finishes(4)
    store.poison = store.busy = {items[1].id}
    over, ended = await write(store, items)
    assert (over, ended) == ({items[0].id, items[2].id, items[3].id}, 3)
    assert items[1].id not in store.finished


async def test_a_statement_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "BATCH", 4)
    store = Store()
    assert (await write(store, finishes(9)))[1] == 9
    assert store.calls == 3


async def test_what_was_written_before_a_failure_is_over() -> None:
    store, done, back = Store(), finishes(2), releases(1)

    async def away(items: Sequence[Release]) -> set[UUID]:
        raise ConnectionError

    store.release = away  # type: ignore[method-assign]
    over: set[UUID] = set()
    with pytest.raises(ConnectionError):
        await write_ends(store, [*done, *back], lambda item: over.add(item.id))  # type: ignore[arg-type]
    assert over == {item.id for item in done}
