"""Which pages may open a WebSocket here."""

from collections.abc import Collection, Iterable
from urllib.parse import urlsplit


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
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
