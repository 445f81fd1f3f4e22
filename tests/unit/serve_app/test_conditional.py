"""ETags and conditional requests."""

import pytest
from fastapi import Request

from db.errors import PreconditionFailed
from serve_app.conditional import content_tag, expected_version, not_modified, version_tag
from serve_app.errors import PreconditionRequired


def request(if_none_match: str | None) -> Request:
    headers = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(("header", "version"), [('"7"', 7), (' W/"7" ', 7), ("*", None)])
def test_a_version_that_was_read(header: str, version: int | None):
    assert expected_version(header, required=True) == version


@pytest.mark.parametrize("header", ['"x"', '"1", "2"', "", "7", '"-1"', '"1.5"', f'"{"9" * 5000}"'])
def test_what_is_no_version_of_ours_is_412(header: str):
    with pytest.raises(PreconditionFailed):
        expected_version(header, required=True)


def test_missing_is_428_only_where_it_is_needed():
    with pytest.raises(PreconditionRequired):
        expected_version(None, required=True)
    assert expected_version(None, required=False) is None


@pytest.mark.parametrize(
    ("header", "same"),
    [('"1"', True), ('W/"1"', True), ('"0", "1"', True), ("*", True), ('"11"', False), (None, False)],
)
def test_304(header: str | None, same: bool):
    response = not_modified(request(header), version_tag(1))
    assert (response is not None) is same
    if response is not None:
        assert response.status_code == 304
        assert response.headers["etag"] == '"1"'


def test_content_tags_follow_the_content():
    assert content_tag(b"a") == content_tag(b"a") != content_tag(b"b")
