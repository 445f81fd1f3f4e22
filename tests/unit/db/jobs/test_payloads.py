"""Whatever a handler says can be stored, or is refused where it is said."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from db.jobs.payloads import readable, storable

ID = UUID(int=7)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (None, None),
        ({"rows": 3, "list": [1.5, "a"]}, {"rows": 3, "list": [1.5, "a"]}),
        ({1: ID, "at": {"x"}}, {"1": str(ID), "at": "{'x'}"}),
        ({"a\x00": ["b\x00c", {"d": "\x00"}], "n": 1}, {"a\ufffd": ["b\ufffdc", {"d": "\ufffd"}], "n": 1}),
        ("\\u0000", "\\u0000"),
        (float("nan"), None),
    ],
)
def test_becomes_plain_json_that_travels(given: Any, stored: Any) -> None:
    assert storable(given) == stored
    msgspec.msgpack.encode(storable(given))


@pytest.mark.parametrize("given", [{"n": 2**64}, ["\ud800"]])
def test_what_no_column_can_hold_is_refused(given: Any) -> None:
    with pytest.raises(TypeError):
        storable(given)


def test_messages_of_errors_are_readable_whatever_they_quote() -> None:
    assert readable("a\x00b\ud800c") == "a\ufffdb?c"
