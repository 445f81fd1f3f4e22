"""A file exists completely or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from tasks.exports.files import SUFFIX, HashedFile, write_atomically


def test_counts_and_sums_what_is_written(tmp_path: Path) -> None:
    with HashedFile(tmp_path / "f") as file:
        file.write(b"abc")
        file.write(memoryview(b"def"))
        assert not (tmp_path / "f").exists()
        file.keep()
    assert (file.bytes, file.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())
    assert (tmp_path / "f").read_bytes() == b"abcdef"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / f"f{SUFFIX}").write_bytes(b"left by an attempt that was killed, and anybody's to read")
        write_atomically(tmp_path / "f", b"abc")
        with HashedFile(tmp_path / "g") as file:
            assert (tmp_path / f"g{SUFFIX}").stat().st_mode & 0o777 == 0o600
            file.keep()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.iterdir())] == [0o600, 0o600]
    assert (tmp_path / "f").read_bytes() == b"abc"


def test_nothing_stays_of_a_file_that_was_not_finished(tmp_path: Path) -> None:

    def interrupted() -> None:
        with HashedFile(tmp_path / "f") as file:
            file.write(b"abc")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    write_atomically(tmp_path / "m", b"old")
    with HashedFile(tmp_path / "m") as file:
        file.write(b"half of the n")
        assert (tmp_path / "m").read_bytes() == b"old"
        assert (tmp_path / f"m{SUFFIX}").exists()
    assert (tmp_path / "m").read_bytes() == b"old"
    write_atomically(tmp_path / "m", b"new")
    assert (tmp_path / "m").read_bytes() == b"new"
