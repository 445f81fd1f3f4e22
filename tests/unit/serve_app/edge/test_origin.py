import pytest

from serve_app.edge.origin import answer_headers, header, is_allowed, preflight_headers

ALLOWED = {"https://app.example"}


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "api.example", True),
        ("https://app.example", "api.example", True),
        ("https://app.example/", "api.example", True),
        ("https://API.example:8443", "api.example:8443", True),
        ("https://api.example:1", "api.example", False),
        ("https://evil.example", "api.example", False),
        ("null", "api.example", False),
        ("https://app.example.evil.example", "api.example", False),
        ("nonsense", "", False),
        ("http://[", "api.example", False),
    ],
)
def test_origins(origin: str | None, host: str, expected: bool) -> None:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    assert is_allowed(headers, ALLOWED) is expected


def test_headers_are_found_by_name() -> None:
    assert header([(b"a", b"1"), (b"b", b"2")], b"b") == "2"
    assert header([], b"b") == ""


def test_only_pages_of_allowed_origins_may_read_answers() -> None:
    assert answer_headers([], ALLOWED) == []
    assert answer_headers([(b"origin", b"https://evil.example")], ALLOWED) == [(b"vary", b"Origin")]
    found = dict(answer_headers([(b"origin", b"https://app.example")], ALLOWED))
    assert found[b"access-control-allow-origin"] == b"https://app.example"
    assert found[b"vary"] == b"Origin"


def test_a_preflight_is_told_what_it_may_ask() -> None:
    headers = [(b"origin", b"https://app.example"), (b"access-control-request-headers", b"content-type,x-a")]
    found = dict(preflight_headers(headers, ALLOWED, "POST, OPTIONS"))
    assert found[b"access-control-allow-methods"] == b"POST, OPTIONS"
    assert found[b"access-control-allow-headers"] == b"content-type,x-a"
    assert found[b"access-control-max-age"] == b"300"
    assert b"access-control-allow-headers" not in dict(preflight_headers([], ALLOWED, "POST"))
