"""What users typed stays text."""

import pytest

from tasks.mail.templates import Letter, order_confirmation, security_notice, welcome

EVIL = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "letter",
    [
        welcome(EVIL, "http://localhost:3000"),
        order_confirmation(EVIL, "M-1", "9.90", "EUR", "http://localhost:3000/orders/1"),
        security_notice(EVIL, "http://localhost:3000/account/sessions"),
    ],
)
def test_names_are_escaped_in_html_and_as_they_are_in_text(letter: Letter) -> None:
    assert EVIL in letter.text
    assert EVIL not in letter.html
    assert "&lt;img" in letter.html
    assert 'href="http://localhost:3000' in letter.html
