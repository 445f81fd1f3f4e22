import pytest

from cluster.cli.printing import fail, show
from cluster.stack.progress import Event


def test_steps_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show(Event("begin", "Ray"))
    show(Event("note", "Ray", "starting"))
    show(Event("done", "Ray", "2 CPUs", 8.25))
    show(Event("ready", "stack"))
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert "Ray  2 CPUs 8.2 s" in shown[1] or "Ray  2 CPUs 8.3 s" in shown[1]


def test_failures_go_to_the_error_stream_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(Event("failed", "Postgres", "[red]is no markup[/red]"))
    fail("also [not] markup")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Postgres: [red]is no markup[/red]" in shown.err
    assert "also [not] markup" in shown.err
