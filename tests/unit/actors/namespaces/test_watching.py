"""A file of namespaces that changes under a running process."""

import asyncio
import os
from pathlib import Path

import pytest

from actors.namespaces import watching
from actors.namespaces.watching import WatchedNamespaces
from actors.protocol.namespaces import NamespaceMistake, Namespaces
from tests.fixtures.waiting import eventually

ONE = "namespaces:\n  one:\n"
TWO = "namespaces:\n  two:\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "namespaces.yaml"
    path.write_text(ONE)
    return path


def write(path: Path, text: str) -> None:
    """As editors do it: another file takes its place."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, path)


async def test_a_changed_file_brings_new_rules(file: Path) -> None:
    watched = WatchedNamespaces(file)
    assert await watched.look() is None
    write(file, TWO)
    found = await watched.look()
    assert found is not None
    assert (found.names, watched.current.names) == (["two"], ["one"])
    watched.take(found)
    assert watched.current.names == ["two"]
    assert found.version != Namespaces.parse(ONE).version
    write(file, TWO)
    assert await watched.look() is None, "the same text is no change"


@pytest.mark.parametrize("text", ["namespaces:\n  two:\n    presense: true\n", "a: [", "\x00"])
async def test_a_mistake_keeps_the_old_rules_and_is_shown(file: Path, text: str) -> None:
    watched = WatchedNamespaces(file)
    write(file, text)
    assert await watched.look() is None
    assert watched.current.names == ["one"]
    assert watched.mistakes
    assert str(file) in watched.mistakes[0]
    write(file, TWO)
    assert await watched.look() is not None
    assert watched.mistakes == ()


async def test_a_file_that_disappears_keeps_the_old_rules(file: Path) -> None:
    watched = WatchedNamespaces(file)
    file.unlink()
    assert await watched.look() is None
    assert watched.current.names == ["one"]
    assert "namespaces.yaml" in watched.mistakes[0]


async def test_what_cannot_work_here_is_refused_when_it_comes_and_shown_when_it_is_there(file: Path) -> None:
    def check(namespaces: Namespaces) -> list[str]:
        return [f"'{name}' does not work" for name in namespaces.names if name == "two"]

    watched = WatchedNamespaces(file, check=check)
    assert watched.mistakes == ()
    write(file, TWO)
    assert await watched.look() is None
    assert (watched.current.names, watched.mistakes) == (["one"], ("'two' does not work",))
    assert WatchedNamespaces(file, check=check).mistakes == ("'two' does not work",)


def test_at_the_start_there_must_be_rules(file: Path) -> None:
    file.write_text("nothing")
    with pytest.raises(NamespaceMistake):
        WatchedNamespaces(file)
    file.unlink()
    with pytest.raises(OSError, match="namespaces"):
        WatchedNamespaces(file)


async def test_watching_goes_on_whatever_happens(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.01)
    watched = WatchedNamespaces(file)
    given: list[list[str]] = []

    async def on_change(namespaces: Namespaces) -> None:
        given.append(namespaces.names)
        if namespaces.names == ["two"]:
            raise RuntimeError("not these")

    task = asyncio.create_task(watched.watch(on_change))
    write(file, TWO)
    await eventually(lambda: given == [["two"]])
    assert watched.current.names == ["one"]
    write(file, "namespaces:\n  three:\n")
    await eventually(lambda: watched.current.names == ["three"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
