import json
from pathlib import Path

from cluster.stack import log_reading
from cluster.stack.log_reading import follow, last_records, merged, parse, source_of


def line(at: str, event: str, level: str = "info", **fields: object) -> str:
    return json.dumps({"event": event, "level": level, "timestamp": f"2026-11-26T{at}Z", **fields}) + "\n"


def test_a_line_of_ours_is_laid_out() -> None:
    raw = line("14:03:22.123456", "order placed", order_id=7, reason="out of stock", process="api", pid=1, node="n")
    record = parse(raw, "api[1]")
    assert record.text.split() == [
        *("14:03:22.123", "INFO", "api[1]", "order", "placed", "order_id=7"),
        *('reason="out', "of", 'stock"'),
    ]
    assert not record.is_error


def test_an_exception_is_below_its_line() -> None:
    record = parse(
        line("14:00:00", "request failed", "error", exception="Traceback:\n  File x\nValueError: y"), "api[1]"
    )
    assert record.is_error
    assert record.text.splitlines()[1:] == ["    Traceback:", "      File x", "    ValueError: y"]


def test_other_lines_stay_as_they_are() -> None:
    assert parse("LOG: ready", "postgres").text == "postgres: LOG: ready"
    assert parse("{broken", "postgres").text == "postgres: {broken"
    assert parse('{"not": "ours"}', "x").text == 'x: {"not": "ours"}'


def test_nothing_in_a_log_moves_the_terminals_cursor() -> None:
    record = parse(line("14:00:00", "a\x1b[2J", name="b\x1b[2J", exception="c\x1b[2J"), "api[1]")
    assert "\x1b" not in record.text
    assert "\x1b" not in parse("text \x1b[2J", "x").text


def test_names() -> None:
    assert source_of(Path("/x/processes/shard-host-12.log")) == "shard-host[12]"
    assert source_of(Path("/x/ray-start.log")) == "ray-start"


def test_processes_are_merged_by_time_and_errors_can_be_had_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "api-1.log", tmp_path / "host-2.log"
    one.write_text(line("10:00:01", "first") + line("10:00:03", "third", "error"))
    two.write_text(line("10:00:02", "second"))
    shown = [record.text for record in merged([one, two], 10)]
    assert [text.split()[3] for text in shown] == ["first", "second", "third"]
    [error] = merged([one, two, tmp_path / "gone.log"], 10, errors_only=True)
    assert "third" in error.text


def test_the_last_lines_of_a_large_file(tmp_path: Path) -> None:
    file = tmp_path / "api-1.log"
    file.write_text("".join(line("10:00:00", f"event-{n}") for n in range(5000)))
    assert file.stat().st_size > 2 * log_reading.BLOCK
    shown = last_records(file, 1000)
    assert len(shown) == 1000
    assert "event-4000" in shown[0].text
    assert "event-4999" in shown[-1].text


def test_following_reads_on_in_new_and_in_replaced_files(tmp_path: Path) -> None:
    file = tmp_path / "api-1.log"
    file.write_text(line("10:00:00", "before"))
    rounds = follow(lambda: sorted(tmp_path.glob("*.log")))
    assert next(rounds) == []
    with file.open("a") as out:
        out.write(line("10:00:01", "one") + '{"event": "half')
    assert ["one" in record.text for record in next(rounds)] == [True]
    (tmp_path / "worker-2.log").write_text(line("10:00:02", "two"))
    assert ["two" in record.text for record in next(rounds)] == [True]
    file.rename(tmp_path / "api-1.log.1")
    file.write_text(line("10:00:03", "three"))
    assert ["three" in record.text for record in next(rounds)] == [True]
    assert next(rounds) == []
