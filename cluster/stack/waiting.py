"""Whether a part of the stack really answers, by asking it over HTTP."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

POLL_S = 0.1

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""What is asked runs here: HTTP_PROXY, which a company's machines often have, leads elsewhere."""


def status_of(url: str, *, timeout_s: float = 5.0) -> int:
    """The HTTP status, or 0 when nobody answers."""
    try:
        with DIRECT.open(url, timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        return problem.code
    except (OSError, ValueError):
        return 0


def wait_for(
    url: str, *, limit_s: float, good: range = range(200, 400), alive: Callable[[], bool] = lambda: True
) -> bool:
    """Whether `url` answers well within the limit; gives up at once when its process has died."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if status_of(url) in good:
            return True
        if not alive():
            return False
        time.sleep(POLL_S)
    return False
