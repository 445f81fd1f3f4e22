"""What a handler says, made fit to travel and to be stored: one value that is not would hold up everybody's."""

from typing import Any

import orjson

NUL = "\x00"
REPLACEMENT = "\ufffd"


RESULT_BYTES = 256 * 1024
CHECKPOINT_BYTES = 256 * 1024
PROGRESS_BYTES = 64 * 1024
"""As JSON. They travel and are written together with those of other jobs; what is larger belongs into a table or a
file, and its name here."""


def storable(value: Any, *, limit: int = RESULT_BYTES) -> Any:
    """The plain JSON value that a jsonb column can hold: keys and unknown objects as text, no NUL in any text.

    Raises TypeError when there is none: an integer beyond 64 bits, text that is no Unicode, more than `limit` bytes.
    """
    encoded = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    if len(encoded) > limit:
        raise TypeError(f"{len(encoded)} bytes of JSON, where {limit} are allowed")
    plain = orjson.loads(encoded)
    return _without_nul(plain) if b"\\u0000" in encoded else plain


def readable(text: str) -> str:
    """Any text as Unicode that Postgres takes: for messages of errors, which may quote anything."""
    return text.encode("utf-8", "replace").decode().replace(NUL, REPLACEMENT)


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace(NUL, REPLACEMENT)
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_without_nul(key): _without_nul(item) for key, item in value.items()}
        case _:
            return value
