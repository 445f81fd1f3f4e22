"""Backups on an embedded server that only runs while they are made."""

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli.backups import BEGIN_ANEW, _forget_cache
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.settings import ROOT
from tests.fixtures.command import MobulaCommand
from tests.fixtures.waiting import eventually_sync

pytestmark = pytest.mark.timeout(240)

OLD_CLUSTER = 2**40
"""A transaction id that no server of a test comes to."""

HEAD = "INSERT INTO app.stream_heads (channel, epoch, top, expires_at) VALUES ('durable:x', 'abcdefgh', 7, 'infinity')"


def ask(mobula: MobulaCommand, capfd: pytest.CaptureFixture[str], statement: str) -> str:
    capfd.readouterr()
    assert mobula.run("psql", "--", "-Atqc", statement).exit_code == 0
    return capfd.readouterr().out.strip()


def back_up(mobula: MobulaCommand, capfd: pytest.CaptureFixture[str], file: Path) -> None:
    """A migrated database with one row that tells it from others."""
    assert mobula.run("migrate", "up").exit_code == 0
    ask(mobula, capfd, HEAD)
    assert mobula.run("backup", str(file)).exit_code == 0


def test_a_backup_brings_everything_back_and_streams_begin_anew(
    mobula: MobulaCommand, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.sql.gz"
    assert mobula.run("migrate", "up").exit_code == 0
    ask(mobula, capfd, HEAD)
    ask(mobula, capfd, "CREATE SCHEMA theirs; CREATE TABLE theirs.notes AS SELECT 1 AS number")
    written = mobula.run("backup", str(file))
    assert written.exit_code == 0, written.output
    assert "secrets belongs to it" in written.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".backup*")) == []

    ask(mobula, capfd, "UPDATE app.stream_heads SET top = 12; DROP TABLE theirs.notes; CREATE TABLE theirs.later ()")
    refused = mobula.run("restore", str(file))
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    restored = mobula.run("restore", str(file), "--replace")
    assert restored.exit_code == 0, restored.output + "".join(capfd.readouterr())

    epoch, top = ask(mobula, capfd, "SELECT epoch, top FROM app.stream_heads").split("|")
    assert top == "7"
    assert epoch != "abcdefgh"
    assert len(epoch) == 8
    assert epoch.isalpha()
    assert ask(mobula, capfd, "SELECT number FROM theirs.notes") == "1"
    assert ask(mobula, capfd, "SELECT to_regclass('theirs.later') IS NULL") == "t"
    assert mobula.run("migrate", "up").exit_code == 0
    again = mobula.run("backup", str(file))
    assert again.exit_code == 0, again.output
    assert mobula.run("restore", str(file), "--replace").exit_code == 0
    assert processes.find(Paths(mobula.home)) == []


@pytest.mark.parametrize("by", ["restore", "the script"])
def test_what_goes_by_another_cluster_s_numbers_ends_and_what_people_have_read_stays_read(
    mobula: MobulaCommand, tmp_path: Path, capfd: pytest.CaptureFixture[str], by: str
) -> None:
    file = tmp_path / "backup.sql.gz"
    assert mobula.run("migrate", "up").exit_code == 0
    ask(mobula, capfd, HEAD)
    ask(
        mobula,
        capfd,
        f"INSERT INTO app.cache_invalidations (keys, tags, xid) VALUES ('{{k}}', '{{}}', '{OLD_CLUSTER}')",
    )
    read = 'INSERT INTO app.read_positions (channel, user_id, epoch, "offset")'
    ask(mobula, capfd, f"{read} VALUES ('durable:x', 'u', 'abcdefgh', 5), ('durable:x', 'v', 'longgone', 6)")
    keys = 'INSERT INTO app.publication_keys (channel, key, epoch, "offset", expires_at)'
    ask(mobula, capfd, f"{keys} VALUES ('durable:x', 'once', 'abcdefgh', 7, 'infinity')")
    if by == "restore":
        assert mobula.run("backup", str(file)).exit_code == 0
        assert mobula.run("restore", str(file), "--replace").exit_code == 0
    else:
        assert mobula.run("psql", "--", "-q1f", str(BEGIN_ANEW)).exit_code == 0

    assert ask(mobula, capfd, "SELECT count(*) FROM app.cache_invalidations") == "0"
    epoch = ask(mobula, capfd, "SELECT epoch FROM app.stream_heads")
    assert epoch != "abcdefgh"
    positions = ask(mobula, capfd, 'SELECT user_id, epoch, "offset" FROM app.read_positions ORDER BY user_id')
    assert positions.splitlines() == [f"u|{epoch}|5", "v|longgone|6"]
    assert ask(mobula, capfd, 'SELECT epoch, "offset" FROM app.publication_keys') == f"{epoch}|7"


def test_a_damaged_backup_changes_nothing(
    mobula: MobulaCommand, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.sql.gz"
    back_up(mobula, capfd, file)
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) * 2 // 3], whole[:-4], b"no backup at all"):
        file.write_bytes(damaged)
        refused = mobula.run("restore", str(file), "--replace")
        assert refused.exit_code == 1
        assert "nothing was changed: it is no backup, or damaged" in refused.output
        assert ask(mobula, capfd, "SELECT epoch, top FROM app.stream_heads") == "abcdefgh|7"
    file.write_bytes(gzip.compress(b"CREATE SCHEMA app;\nSELECT nonsense;\n"))
    assert "nothing was changed: see above" in mobula.run("restore", str(file), "--replace").output
    assert ask(mobula, capfd, "SELECT epoch, top FROM app.stream_heads") == "abcdefgh|7"


def test_a_restore_whose_process_ends_before_its_file_changes_nothing(
    mobula: MobulaCommand,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    file = tmp_path / "backup.sql.gz"
    back_up(mobula, capfd, file)
    with file.open("ab") as more:  # ten gigabytes: nothing reads them in the time that this test takes
        more.write(gzip.compress(b"CREATE TABLE app.later (word text);\nCOPY app.later FROM stdin;\n"))
        rows = gzip.compress((b"x" * 999 + b"\n") * 10_000)
        for _ in range(1_000):
            more.write(rows)
    ask(mobula, capfd, "UPDATE app.stream_heads SET top = 12")
    others = (
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name = 'psql'"
    )
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        command = [sys.executable, "-P", "-m", "cluster.cli", "restore", str(file), "--replace"]
        # A group of its own: a Ctrl-C in a terminal would reach psql too, which then ends by itself.
        with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), start_new_session=True) as restoring:
            try:
                eventually_sync(
                    lambda: ask(mobula, capfd, f"SELECT count(*) {others} AND query LIKE 'COPY app.later%'") == "1", 60
                )
                restoring.send_signal(how)
                assert restoring.wait(60) != 0
            finally:
                restoring.kill()
        eventually_sync(lambda: ask(mobula, capfd, f"SELECT count(*) {others}") == "0", 60)
        assert ask(mobula, capfd, "SELECT epoch, top FROM app.stream_heads") == "abcdefgh|12", how.name


def test_a_backup_that_was_packed_before_it_was_whole_changes_nothing(
    mobula: MobulaCommand, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.sql.gz"
    back_up(mobula, capfd, file)
    ask(mobula, capfd, "UPDATE app.stream_heads SET top = 12")
    text = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(text + b"CREATE TABLE app.later (word text);\nCOPY app.later FROM stdin;\nx\n"))
    refused = mobula.run("restore", str(file), "--replace")
    assert refused.exit_code == 1
    assert "did not arrive whole" in "".join(capfd.readouterr())
    assert ask(mobula, capfd, "SELECT epoch, top FROM app.stream_heads") == "abcdefgh|12"


def test_where_a_backup_cannot_be_written_nothing_is_left(mobula: MobulaCommand, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        raise mobula.run("backup", str(tmp_path / "no" / "where.sql.gz")).exception or AssertionError
    assert processes.find(Paths(mobula.home)) == []


def test_nothing_is_restored_under_a_running_stack(mobula: MobulaCommand, tmp_path: Path) -> None:
    from cluster.stack.daemon_state import DaemonLock

    paths = Paths(mobula.home)
    paths.prepare()
    file = tmp_path / "backup.sql.gz"
    file.write_bytes(b"")
    lock = DaemonLock(paths)
    lock.take()
    try:
        refused = mobula.run("restore", str(file), "--replace")
    finally:
        lock.release()
    assert refused.exit_code == 1
    assert "./mobula down first" in refused.output


def test_a_cache_of_one_s_own_is_left_to_its_people(mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(mobula.home)
    paths.prepare()
    assert _forget_cache(paths) == ""
    monkeypatch.setenv("REDIS_URL", "redis://cache.example/0")
    assert "FLUSHDB" in _forget_cache(paths)
