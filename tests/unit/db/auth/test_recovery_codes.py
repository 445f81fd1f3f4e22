"""Recovery codes are read however people type them. The rest needs rows: tests/integration/db/auth."""

import pytest

from db.auth.recovery_codes import normalised


@pytest.mark.parametrize(
    "typed", ["7QX4-M2KD-9R1A", "7qx4 m2kd 9r1a", "7QX4M2KD9RIA", "7qx4-m2kd-9rla", " 7QX4–M2KD–9R1A"]
)
def test_case_separators_and_misread_letters_do_not_matter(typed: str) -> None:
    assert normalised(typed) == "7QX4M2KD9R1A"


def test_other_codes_stay_other_codes() -> None:
    assert normalised("7QX4-M2KD-9R1B") != normalised("7QX4-M2KD-9R1A")
