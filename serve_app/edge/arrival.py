"""What the edge knows of a connection before its first command."""

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


class Arrival(NamedTuple):
    """Where a connection comes from. `generation`: pid of the HAProxy that carries it; 0: none did."""

    address: str = ""
    generation: int = 0

    @classmethod
    def of(cls, scope: Scope) -> "Arrival":
        """From an ASGI scope. HAProxy sets the header itself, and `edge.forwarded` the address."""
        client = scope.get("client")
        generation = header(scope["headers"], _GENERATION)
        is_pid = generation.isascii() and generation.isdigit() and len(generation) < 10
        return cls(client[0] if client else "", int(generation) if is_pid else 0)


NOWHERE = Arrival()
