"""Cross-site request forgery: when a cookie may be believed.

A browser sends cookies wherever a page asks it to. So an unsafe request that is authenticated by cookie must carry a
header that a foreign page cannot send without a CORS preflight, and must come from an origin of ours.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

CSRF_HEADER = b"x-mobula-csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_forged(
    method: str,
    *,
    csrf_header: bytes | None,
    origin: bytes | None,
    fetch_site: bytes | None,
    host: bytes | None,
    allowed_origins: Collection[str],
) -> bool:
    """Whether a request that is authenticated by cookie must be refused.

    Args:
        method: of the request; safe ones change nothing and pass.
        csrf_header: value of X-Mobula-CSRF.
        origin: value of Origin, which browsers send with every unsafe request and no page can choose.
        fetch_site: value of Sec-Fetch-Site, likewise the browser's own.
        host: value of Host: an origin of the same host is ours.
        allowed_origins: our front ends' origins.
    """
    if method in SAFE_METHODS:
        return False
    if csrf_header != b"1":
        return True
    if origin is not None:
        text = origin.decode("latin-1")
        return text not in allowed_origins and (host is None or _host_of(text) != host)
    return fetch_site != b"same-origin"


def _host_of(origin: str) -> bytes | None:
    """The host of an origin; None for what is none, such as `http://[`."""
    try:
        return urlsplit(origin).netloc.encode("latin-1")
    except ValueError:
        return None
