"""Refusing passwords that are too easy to guess."""

from collections.abc import Iterable

from db.errors import InvalidInput
from serve_app.resources import Resources


class PasswordTooWeak(InvalidInput):
    """A password that attackers would try early."""

    code = "password_too_weak"
    default_message = "This password is too easy to guess."


async def refuse_weak_password(resources: Resources, password: str, *, context: Iterable[str], field: str) -> None:
    """Raise PasswordTooWeak, with the reasons and advice, unless the password may be used."""
    report = await resources.passwords.judge(password, context)
    if not report.acceptable:
        raise PasswordTooWeak(
            " ".join(report.problems),
            field=field,
            details={"score": report.score, "advice": list(report.warnings)},
        )
