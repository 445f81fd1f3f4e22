"""Request bodies of the edge's own endpoints: small, bounded before they are in memory, and not waited for long."""

import asyncio
from collections.abc import Iterable
from typing import Final

from starlette.types import Receive

from serve_app.edge.origin import header

READ_S: Final = 10.0
"""A body that has not arrived by then is given up: sending a byte a minute would hold a connection for hours."""


class Refused(Exception):
    """The request is answered with an error: this status, and this code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class ClientGone(Exception):
    """There is nobody to answer."""


async def read_body(headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """The whole body. Raises Refused (413, 408) or ClientGone."""
    too_large = Refused(413, "content_too_large", f"A body may have {limit} bytes.")
    length = header(headers, b"content-length")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        detail = f"The body did not arrive within {READ_S:g} seconds."
        raise Refused(408, "request_timeout", detail) from None
