"""When a cookie may be believed."""

import pytest

from serve_app.security.csrf import is_forged

OURS = frozenset({"http://shop.test"})


def forged(method: str = "POST", **changes: bytes | None) -> bool:
    values: dict[str, bytes | None] = {"csrf_header": b"1", "origin": None, "fetch_site": None, "host": b"api.test"}
    return is_forged(method, **(values | changes), allowed_origins=OURS)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_change_nothing(method: str):
    assert not forged(method, csrf_header=None, origin=b"http://evil.test")


@pytest.mark.parametrize(
    "evidence", [{"origin": b"http://shop.test"}, {"origin": b"https://api.test"}, {"fetch_site": b"same-origin"}]
)
def test_our_own_pages(evidence: dict[str, bytes]):
    assert not forged(**evidence)
    assert forged(**evidence, csrf_header=None)
    assert forged(**evidence, csrf_header=b"")


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"origin": b"http://evil.test"},
        {"origin": b"null"},
        {"origin": b""},
        {"origin": b"http://["},
        {"origin": b"http://evil.test", "fetch_site": b"same-origin"},
        {"fetch_site": b"same-site"},
        {"fetch_site": b"cross-site"},
        {"fetch_site": b"none"},
        {"origin": b"http://api.test.evil.test"},
    ],
)
def test_everybody_else(evidence: dict[str, bytes]):
    assert forged(**evidence)


def test_no_host_is_no_evidence():
    assert forged(origin=b"http://other.test", host=None)
