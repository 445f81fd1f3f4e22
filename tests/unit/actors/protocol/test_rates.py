import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.rates import Rate, parse


def test_a_rate_is_a_burst_and_an_interval() -> None:
    assert parse("20/s") == Rate(20, 0.05)
    assert parse("120/m") == Rate(120, 0.5)
    assert parse("1/h") == Rate(1, 3600.0)
    assert parse("864/d") == Rate(864, 100.0)
    assert parse("") is None


@pytest.mark.parametrize("written", ["20", "0/s", "-1/s", "1/w", "1.5/s", "x", "1/s ", "9999999999/s"])
def test_what_is_no_rate_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        parse(written)


def test_a_burst_is_spent_and_comes_back_evenly() -> None:
    rate, full_at = Rate(3, 1.0), 0.0
    for _ in range(3):
        taken = rate.take(full_at, 100.0)
        assert taken is not None
        full_at = taken
    assert rate.take(full_at, 100.9) is None
    assert rate.take(full_at, 101.0) is not None
    assert rate.take(full_at, 1000.0) == 1001.0


@given(st.integers(1, 20), st.lists(st.floats(0, 0.5), max_size=100))
def test_no_more_than_the_rate_gets_through(burst: int, waits: list[float]) -> None:
    rate, full_at, now, taken = Rate(burst, 1 / burst), 0.0, 100.0, 0
    for wait in waits:
        now += wait
        after = rate.take(full_at, now)
        if after is not None:
            full_at, taken = after, taken + 1
    assert taken <= burst + (now - 100.0) * burst + 1e-6


def test_what_was_taken_elsewhere_is_owed() -> None:
    rate = Rate(2, 0.5)
    assert rate.owe(0.0, 3, 100.0) == 101.5
    assert rate.take(101.5, 100.0) is None
    assert rate.take(101.5, 101.0) == 102.0
