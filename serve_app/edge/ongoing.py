"""What this process is serving beside Serve's own machinery: requests that the edge answers are invisible to Serve.

Where the number of api replicas follows their load, Serve asks for these counts (`record_autoscaling_stats`); otherwise
they are for the log of a drain. What waits for requests when a replica ends is uvicorn, which knows its connections.
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
