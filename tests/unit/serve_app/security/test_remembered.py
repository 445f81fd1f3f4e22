"""What was said of credentials, for a while."""

from serve_app.security.remembered import Remembered
from tests.fakes.clock import ManualClock


def test_verdicts_hold_for_a_while():
    clock = ManualClock()
    verdicts: Remembered[str, str] = Remembered(10, 1.0, clock.monotonic)
    assert verdicts.find("ada") is None
    verdicts.keep("ada", "yes")
    assert verdicts.find("ada") == "yes"
    clock.advance(1.0)
    assert verdicts.find("ada") is None
    assert "ada" in verdicts, "it was the last one"
    verdicts.forget("ada")
    verdicts.forget("ada")
    assert "ada" not in verdicts


def test_they_are_bounded():
    verdicts: Remembered[int, str] = Remembered(3, 1.0, ManualClock().monotonic)
    for number in (1, 2, 3, 1, 4, 5):
        verdicts.keep(number, "yes")
    assert [number for number in range(6) if number in verdicts] == [1, 4, 5]
    assert len(verdicts) == 3


def test_those_that_are_meant_are_forgotten():
    verdicts: Remembered[int, str] = Remembered(3, 1.0, ManualClock().monotonic)
    for number, verdict in ((1, "ada"), (2, "bob"), (3, "ada")):
        verdicts.keep(number, verdict)
    verdicts.forget_where(lambda number, verdict: number == 1 or verdict == "bob")
    assert [number for number in range(4) if number in verdicts] == [3]
