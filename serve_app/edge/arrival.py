"""What the edge knows of a connection before its first command."""

import re
import sys
from typing import Final, NamedTuple

from starlette.types import Scope

from cluster import names
from serve_app.edge.origin import header

EXTENSION: Final = "mobula.transport"
"""Key in `scope["extensions"]` under which uvicorn's protocol offers its transport to the application."""

LINES: Final = "mobula.lines"
"""Key in `scope["extensions"]` of a server that takes finished header lines (bytes, each with its CRLF) under the same
key of `http.response.start`."""

_GENERATION = names.EDGE_GENERATION_HEADER.encode()
_NAME: Final = re.compile(r"[0-9a-f]{1,32}-[0-9]{1,10}")


class Arrival(NamedTuple):
    """Where a connection comes from. `generation`: the HAProxy process that carries it; empty: none did."""

    address: str = ""
    generation: str = ""

    @classmethod
    def of(cls, scope: Scope) -> "Arrival":
        """From an ASGI scope. HAProxy sets the header itself, and `edge.forwarded` the address."""
        client = scope.get("client")
        generation = header(scope["headers"], _GENERATION)
        # Thousands of sockets share a generation, and should share its name.
        known = sys.intern(generation) if _NAME.fullmatch(generation) else ""
        return cls(client[0] if client else "", known)


NOWHERE = Arrival()
