"""Every refusal has a code of its own, and only a few keep what they changed."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import db
from db.errors import DomainError, InvalidInput, TooManyRequests, Unavailable


def every_error(of: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in of.__subclasses__():
        yield error
        yield from every_error(error)


def import_all() -> None:
    for module in walk_packages(db.__path__, "db."):
        if module.name.rpartition(".")[2] == "errors" or module.name.endswith(("pagination", "service")):
            import_module(module.name)


def test_codes_are_unique_and_snake_case() -> None:
    import_all()
    errors = [error for error in every_error() if error.__module__.startswith("db.")]
    codes = [error.code for error in errors]
    assert len(codes) == len(set(codes)), sorted(code for code in codes if codes.count(code) > 1)
    assert all(code.isidentifier() and code == code.lower() for code in codes)
    assert all(error.default_message for error in errors)


def test_only_counted_refusals_keep_their_changes() -> None:
    import_all()
    keeping = {error.code for error in every_error() if error.keeps_changes and error.__module__.startswith("db.")}
    assert keeping == {
        "invalid_credentials",
        "login_code_invalid",
        "passkey_invalid",
        "passkey_refused",
        "refresh_token_reused",
        "wrong_code",
    }


def test_an_error_says_what_it_was_told_or_its_default() -> None:
    assert str(DomainError()) == DomainError.default_message
    error = InvalidInput("too small", field="lines.0.quantity", details={"min": 1})
    assert (str(error), error.field, error.details) == ("too small", "lines.0.quantity", {"min": 1})
    assert TooManyRequests(retry_after_s=3).retry_after_s == 3
    assert Unavailable().retry_after_s == 1.0
