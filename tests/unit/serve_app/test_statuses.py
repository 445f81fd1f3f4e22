"""Phrases do not depend on the Python that runs."""

from http import HTTPStatus

import pytest

from serve_app.statuses import RENAMED, phrase_of


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(404, "Not Found"), (413, "Content Too Large"), (416, "Range Not Satisfiable"), (422, "Unprocessable Content")],
)
def test_phrases_are_those_of_the_standard(status: int, phrase: str) -> None:
    assert phrase_of(status) == phrase


OLD_NAMES = {
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}


def test_the_running_python_has_the_old_or_the_new_name() -> None:
    assert all(HTTPStatus(status).phrase in (OLD_NAMES[status], RENAMED[status]) for status in RENAMED)


def test_statuses_that_kept_their_name_are_not_listed() -> None:
    assert all(phrase_of(status) == status.phrase for status in HTTPStatus if status not in RENAMED)
