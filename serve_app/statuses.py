"""Names of HTTP statuses, the same under every Python: 3.13 took over the names of RFC 9110."""

from http import HTTPStatus
from typing import Final

RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def phrase_of(status: int) -> str:
    """The reason phrase of a status (RFC 9110): codes and titles of errors are made of it."""
    return RENAMED.get(status) or HTTPStatus(status).phrase
