"""Which pages may connect here, and read what is answered."""

from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import urlsplit

PREFLIGHT_S: Final = 300
"""Browsers ask again after this long."""


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """A request header, or ''."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def is_allowed(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str]) -> bool:
    """No Origin (not a browser), the same host, or one of the allowed origins."""
    headers = list(headers)
    origin = header(headers, b"origin")
    if not origin:
        return True
    if origin.rstrip("/") in allowed:
        return True
    host = header(headers, b"host")
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # no address at all, as `http://[`
        return False


def answer_headers(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str]) -> list[tuple[bytes, bytes]]:
    """CORS headers of an answer: the page of an allowed origin may read it. None without an Origin."""
    headers = list(headers)
    origin = header(headers, b"origin")
    if not origin:
        return []
    varies = (b"vary", b"Origin")
    if not is_allowed(headers, allowed):
        return [varies]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        varies,
    ]


def preflight_headers(
    headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str], methods: str
) -> list[tuple[bytes, bytes]]:
    """Headers that answer a preflight request. `methods`: what may be asked, as `POST, OPTIONS`."""
    headers = list(headers)
    wanted = header(headers, b"access-control-request-headers")
    return [
        *answer_headers(headers, allowed),
        (b"access-control-allow-methods", methods.encode()),
        *([(b"access-control-allow-headers", wanted.encode("latin-1"))] if wanted else []),
        (b"access-control-max-age", str(PREFLIGHT_S).encode()),
    ]
