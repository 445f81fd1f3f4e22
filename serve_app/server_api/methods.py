"""Every method of the server API by name. A module of methods adds its `METHODS` here."""

from collections.abc import Mapping
from typing import Final

from serve_app.server_api import connections, maps, nodes, publishing, reading, rpc, tokens, users
from serve_app.server_api.registry import Method

METHODS: Final[Mapping[str, Method]] = {
    method.name: method
    for module in (publishing, reading, maps, connections, nodes, rpc, tokens, users)
    for method in module.METHODS
}
