"""What users typed stays text."""

from typing import get_args

import pytest

from db.auth.events import SecondFactorChange
from db.passkeys.events import PasskeyChange
from tasks.mail import templates
from tasks.mail.templates import PASSKEYS, SECOND_FACTOR, Letter, order_confirmation, security_notice, welcome

EVIL = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "letter",
    [
        welcome(EVIL, "http://localhost:3000"),
        order_confirmation(EVIL, "M-1", "9.90", "EUR", "http://localhost:3000/orders/1"),
        security_notice(EVIL, "http://localhost:3000/settings?tab=sessions"),
        templates.welcome_to_verify(EVIL, "http://localhost:3000/verify-email#x"),
        templates.verify_email(EVIL, "http://localhost:3000/verify-email#x"),
        templates.reset_password(EVIL, "http://localhost:3000/reset-password#x"),
        templates.password_changed(EVIL, "http://localhost:3000/forgot-password"),
        templates.email_changed(EVIL, "http://localhost:3000/settings"),
        *(
            templates.second_factor_changed(EVIL, change, 3, "http://localhost:3000/settings")
            for change in SECOND_FACTOR
        ),
        *(templates.passkey_changed(EVIL, change, EVIL, "http://localhost:3000/settings") for change in PASSKEYS),
        templates.username_taken(EVIL, "http://localhost:3000/register"),
    ],
)
def test_names_are_escaped_in_html_and_as_they_are_in_text(letter: Letter) -> None:
    assert EVIL in letter.text
    assert EVIL not in letter.html
    assert "&lt;img" in letter.html
    assert 'href="http://localhost:3000' in letter.html


def test_every_change_of_a_second_factor_has_its_words() -> None:
    assert set(SECOND_FACTOR) == set(get_args(SecondFactorChange))
    assert "3 are left" in templates.second_factor_changed("ada", "code_used", 3, "http://x").text


def test_every_change_of_a_passkey_has_its_words() -> None:
    assert set(PASSKEYS) == set(get_args(PasskeyChange))
    assert "“Ada's {phone}”" in templates.passkey_changed("ada", "added", "Ada's {phone}", "http://x").text
