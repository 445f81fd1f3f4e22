from pathlib import Path

from cluster.services.errors import tail


def test_the_end_of_a_log_is_shown_indented(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(20)))
    assert tail(log, 2) == "    line 18\n    line 19"
    assert tail(log, 9, since=len(log.read_bytes()) - 7) == "    line 19"


def test_a_log_that_is_not_there_is_no_second_error(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
