import errno
import json
from pathlib import Path

from cluster.stack.progress import Event, Progress, ProgressFile, read_from


def test_events_reach_every_listener_in_order() -> None:
    one: list[Event] = []
    two: list[Event] = []
    progress = Progress(one.append, two.append)
    progress.begin("Postgres")
    progress.note("Postgres", "initialising")
    progress.done("Postgres", "ready")
    progress.failed("Ray", "no memory")
    progress.end("stopped")
    assert one == two
    assert [event.state for event in one] == ["begin", "note", "done", "failed", "stopped"]


def test_who_listens_later_hears_what_comes_then() -> None:
    late: list[Event] = []
    progress = Progress()
    progress.begin("Ray")
    progress.listen(late.append)
    progress.done("Ray", "up")
    assert [event.state for event in late] == ["done"]


def test_a_listener_that_cannot_write_ends_nothing() -> None:
    def full(event: Event) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    heard: list[Event] = []
    Progress(full, heard.append).begin("Ray")
    assert [event.step for event in heard] == ["Ray"]


def test_a_file_can_be_followed_while_it_grows(tmp_path: Path) -> None:
    file = tmp_path / "run" / "progress.jsonl"
    progress = Progress(ProgressFile(file))
    assert read_from(tmp_path / "none", 0) == ([], 0)
    progress.begin("Ray")
    first, position = read_from(file, 0)
    assert [event.step for event in first] == ["Ray"]
    progress.done("Ray", "up")
    with file.open("a") as half:
        half.write(json.dumps({"state": "note"})[:5])  # a line that is still being written
    second, position = read_from(file, position)
    assert [(event.state, event.text) for event in second] == [("done", "up")]
    assert read_from(file, position) == ([], position)
