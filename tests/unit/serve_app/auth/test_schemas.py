"""Addresses as people type them."""

import pytest

from serve_app.auth.schemas import LoginRequest, PasswordForgotten, RegisterRequest


@pytest.mark.parametrize(
    "typed",
    ["ada@example.com", "Ada@EXAMPLE.com", "me@xn--bcher-kva.example", "me@bücher.example", "jose\u0301@example.com"],
)
def test_signing_in_reads_an_address_as_registering_does(typed: str) -> None:
    registered = RegisterRequest(email=typed, username="ada", password="blue kettle on fire").email
    assert LoginRequest(email=typed, password="x").email == registered
    assert PasswordForgotten(email=typed).email == registered


def test_what_is_no_address_is_an_unknown_account_and_no_mistake_in_the_request() -> None:
    assert LoginRequest(email="not an address", password="x").email == "not an address"
