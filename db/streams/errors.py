"""How a write to durable streams can fail, by what its caller may conclude."""


class StreamError(Exception):
    """Base of all."""


class Fenced(StreamError):
    """Somebody else owns these buckets now. Nothing was written, and nothing ever will be by this owner."""


class StaleHead(StreamError):
    """A stream's head is not where the owner believes. Nothing was written: read the heads again."""


class AlreadyKnown(StreamError):
    """A publication or its idempotency key was committed before. Nothing was written: find out which."""


class Busy(StreamError):
    """The server gave up (timeout, deadlock, out of resources). Nothing was written: try again."""


class Refused(StreamError):
    """The server cannot store this. Nothing was written; it would be refused again."""


class Ambiguous(StreamError):
    """The connection failed before the answer came: it may have been written or not (DESIGN §5, 9)."""
