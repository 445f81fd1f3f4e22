"""What this process is serving beside Serve's own machinery: requests that the edge answers are invisible to Serve.

Serve asks for these counts (`record_autoscaling_stats`), and our drain waits for them.
"""


class Ongoing:
    """Counts of one process, on one event loop."""

    def __init__(self) -> None:
        self.requests = 0
        """HTTP requests in flight."""
        self.total = 0
        """HTTP requests so far."""

    def __enter__(self) -> "Ongoing":
        self.requests += 1
        self.total += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.requests -= 1


ONGOING = Ongoing()
"""The process's counts."""
