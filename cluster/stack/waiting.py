"""Whether a part of the stack really answers, by asking it over HTTP."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

POLL_S = 0.1


def status_of(url: str, *, timeout_s: float = 5.0) -> int:
    """The HTTP status, or 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - our own http:// addresses
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
