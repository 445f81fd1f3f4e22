"""Keys of persistent maps: written in the same transaction as the changes of their stream, read when one is loaded."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

WRITE: Final = "app.write_map_keys({})"
"""A call of the function, to stand beside the commit of publications in one statement."""

LOAD: Final = """
SELECT channel, key, "offset", data, attributes::text, score, version, version_epoch, time_ms
FROM app.map_keys WHERE channel = ANY ($1)
"""

CLEAR: Final = "SELECT app.clear_map($1, $2, $3, $4)"


class MapRow(NamedTuple):
    """What a commit makes of one key. `attributes` is JSON text, as of the publication that changed it."""

    channel: str
    key: str
    removed: bool
    offset: int
    data: bytes
    attributes: str | None
    score: int
    version: int
    version_epoch: str
    time_ms: int


class StoredKey(NamedTuple):
    """One key as it is stored."""

    channel: str
    key: str
    offset: int
    data: bytes
    attributes: str | None
    score: int
    version: int
    version_epoch: str
    time_ms: int


NOTHING: Final[Sequence[list[Any]]] = [[] for _ in MapRow._fields]
"""No rows, as columns."""


def columns(rows: Sequence[MapRow]) -> list[list[Any]]:
    """Rows as the arrays that `app.write_map_keys` takes."""
    return [list(column) for column in zip(*rows, strict=True)]
