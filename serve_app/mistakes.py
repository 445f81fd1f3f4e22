"""What is wrong with a value of a request, in words for whoever typed it.

Pydantic's own words are for programmers: they name its types and recite regular expressions. The stable `code` beside
the message is pydantic's, and what a field must look like is in the OpenAPI.
"""

from collections.abc import Mapping
from typing import Any

WORDS = {
    "missing": "This is missing.",
    "extra_forbidden": "There is no such field here.",
    "string_type": "This has to be text.",
    "string_too_short": "At least {min_length:,} characters.",
    "string_too_long": "At most {max_length:,} characters.",
    "string_pattern_mismatch": "This is not written as it has to be: a character is wrong, or missing.",
    "too_short": "At least {min_length:,} of these.",
    "too_long": "At most {max_length:,} of these.",
    "greater_than": "This has to be more than {gt}.",
    "greater_than_equal": "This has to be {ge} or more.",
    "less_than": "This has to be less than {lt}.",
    "less_than_equal": "This has to be {le} or less.",
    "decimal_max_digits": "At most {max_digits} digits.",
    "decimal_max_places": "At most {decimal_places} digits after the point.",
    "decimal_whole_digits": "At most {whole_digits} digits before the point.",
    "literal_error": "This has to be {expected}.",
    "enum": "This has to be {expected}.",
    "list_type": "This has to be a list.",
    "timezone_aware": "This needs a time zone, such as 2026-01-31T12:00:00Z.",
}
"""By pydantic's type of error; braces hold what its context says."""

KINDS = {
    "int": "This has to be a whole number.",
    "float": "This has to be a number.",
    "decimal": "This has to be a number.",
    "finite": "This has to be a number.",
    "bool": "This has to be true or false.",
    "uuid": "This is not an id.",
    "datetime": "This has to be a date and a time, such as 2026-01-31T12:00:00Z.",
    "date": "This has to be a date, such as 2026-01-31.",
    "dict": "This has to be an object.",
    "model": "This has to be an object.",
}
"""By the first word of the type of error, for the many ways of not being one: `int_parsing`, `int_from_float`."""

ONE_CHARACTER = "Fill this in."
"""What a text of at least one character is told: nothing was typed."""


def words_of(mistake: Mapping[str, Any]) -> str:
    """The sentence for one of pydantic's error details (`type`, `msg`, `ctx`). What has none here keeps pydantic's."""
    kind: str = mistake["type"]
    context: Mapping[str, Any] = mistake.get("ctx") or {}
    if kind == "string_too_short" and context.get("min_length") == 1:
        return ONE_CHARACTER
    if kind == "value_error" and "reason" in context:  # of an e-mail address
        return str(context["reason"])
    try:
        if kind in WORDS:
            return WORDS[kind].format_map(context)
    except KeyError:  # somebody else's error of this type, without what pydantic says of its own
        return str(mistake["msg"])
    return KINDS.get(kind.partition("_")[0]) or str(mistake["msg"]).removeprefix("Value error, ")
