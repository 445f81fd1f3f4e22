"""What an application adds to realtime: permission callbacks, rpc methods, a handler of messages.

A package names a function in the entry point group `mobula.realtime`; it is called once per process with the registry:

    def register(handlers: Handlers) -> None:
        handlers.permission("project_member", is_member)
        handlers.rpc("project.rename", rename)
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from db.session import Database

ENTRY_POINT_GROUP: Final = "mobula.realtime"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `user` is empty for anonymous connections; `session` is the login session's id."""

    user: str
    client: str
    session: str = ""


Permission = Callable[[str, str], Awaitable[bool]]
"""(user, channel) → may this user subscribe?"""

RpcMethod = Callable[[Caller, bytes], Awaitable[bytes]]
"""(caller, raw JSON) → raw JSON. Raises `serve_app.realtime.connection.CallError` to answer an error code."""

ServerRpcMethod = Callable[[bytes], Awaitable[bytes]]
"""(raw JSON, or nothing) → raw JSON. Raises `serve_app.realtime.calls.CallError` to answer an error code."""

MessageHandler = Callable[[Caller, bytes], Awaitable[None]]
"""A message that expects no reply."""


class Handlers:
    """The registry of one process. Names are unique: the second registration is a mistake and says so."""

    def __init__(self, database: Database | None = None) -> None:
        self.database = database
        """For handlers that read rows; None in processes without one."""
        self.permissions: dict[str, Permission] = {}
        self.rpc_methods: dict[str, RpcMethod] = {}
        self.message_handler: MessageHandler | None = None
        self.server_methods: dict[str, ServerRpcMethod] = {}

    def permission(self, name: str, callback: Permission) -> None:
        """Offer a callback that namespaces name in `permission:`."""
        if name in self.permissions:
            raise ValueError(f"permission callback '{name}' is registered twice")
        self.permissions[name] = callback

    def rpc(self, method: str, callback: RpcMethod) -> None:
        """Offer an rpc method."""
        if method in self.rpc_methods:
            raise ValueError(f"rpc method '{method}' is registered twice")
        self.rpc_methods[method] = callback

    def server_rpc(self, method: str, callback: ServerRpcMethod) -> None:
        """Offer a method that servers call with `POST /api/rpc` and their key; clients cannot."""
        if method in self.server_methods:
            raise ValueError(f"server rpc method '{method}' is registered twice")
        self.server_methods[method] = callback

    def message(self, callback: MessageHandler) -> None:
        """Receive messages without reply."""
        if self.message_handler is not None:
            raise ValueError("a message handler is registered already")
        self.message_handler = callback

    def discover(self) -> None:
        """Call every installed package's registration function."""
        for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
            entry_point.load()(self)
