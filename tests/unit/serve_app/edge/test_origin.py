import pytest

from serve_app.edge.origin import header, is_allowed

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
