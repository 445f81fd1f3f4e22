from pathlib import Path

from cluster.stack.reload import changes, snapshot


def test_files_that_come_go_or_change_are_noticed(tmp_path: Path) -> None:
    room = tmp_path / "serve_app"
    room.mkdir()
    kept, edited, removed = (room / f"{name}.py" for name in ("kept", "edited", "removed"))
    for file in (kept, edited, removed):
        file.write_text("")
    (room / "notes.txt").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.py").write_text("")
    before = snapshot(tmp_path)
    assert set(before) == {kept, edited, removed}
    import os

    os.utime(edited, ns=(1, 1))
    removed.unlink()
    added = room / "added.py"
    added.write_text("")
    assert changes(before, snapshot(tmp_path)) == sorted([added, edited, removed])
    assert changes(before, before) == []
