"""What an application adds to realtime: permission callbacks, connect, rpc, poll and message handlers.

A package names a function in the entry point group `mobula.realtime`; it is called once per process with the registry:

    def register(handlers: Handlers) -> None:
        handlers.permission("project_member", is_member)
        handlers.connect(let_in)
        handlers.rpc("project.rename", rename)

Everything runs on the event loop of the realtime process and has `DEADLINE_S`. A late answer or an exception is error
100, and the client tries again; `CallError` answers a code of the application's own (400 to 1999).
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Final

from actors.protocol.namespaces import Namespaces
from db.session import Database
from serve_app.realtime.calls import CallError
from serve_app.realtime.credentials import Credentials
from serve_app.realtime.verdicts import Admission, Granted

__all__ = [
    "Admission",
    "CallError",
    "Caller",
    "ConnectAttempt",
    "Credentials",
    "Granted",
    "Handlers",
    "PollCallback",
    "PolledItem",
    "Question",
]

ENTRY_POINT_GROUP: Final = "mobula.realtime"

PERMISSION_OPTIONS: Final = ("subscribe_permission", "publish_permission", "history_permission", "presence_permission")
"""Options of a namespace that name a permission callback."""

DEADLINE_S: Final = 3.0
"""SDK commands time out after 5 s: an answer must come before."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `user` is empty for anonymous connections; `session` is the login session's id."""

    user: str
    client: str
    session: str = ""
    meta: bytes = b""
    """Raw JSON of the token's claim `meta`."""
    channels: Collection[str] = ()
    """What the connection is subscribed to: live, and not still being decided."""


@dataclass(frozen=True, slots=True)
class Question:
    """May this caller do this in this channel?"""

    caller: Caller
    operation: str
    """`subscribe`, `publish`, `history` or `presence`."""
    channel: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the variables of the namespace's `pattern` are in this channel."""
    data: bytes = b""
    """Raw JSON: what is published, or what came with the subscribe command."""

    @property
    def user(self) -> str:
        """The caller's user."""
        return self.caller.user


@dataclass(frozen=True, slots=True)
class ConnectAttempt:
    """Somebody wants to connect."""

    client: str
    credentials: Credentials | None
    """What the verified token says; None when the client sent none."""
    data: bytes = b""
    """Raw JSON from the client."""
    name: str = ""
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that the client emulates: what a browser cannot set on a WebSocket."""


Permission = Callable[[Question], Awaitable[bool | Granted]]
"""Whether the caller may."""

ConnectHandler = Callable[[ConnectAttempt], Awaitable[Admission | None]]
"""Who is let in: as the token says (`Admission(attempt.credentials)`), as somebody else, or nobody (None: 3507)."""

RpcMethod = Callable[[Caller, bytes], Awaitable[bytes]]
"""(caller, raw JSON) → raw JSON."""


@dataclass(frozen=True, slots=True)
class PolledItem:
    """A key whose value has changed."""

    key: str
    version: int
    """Greater than every earlier one of the key, in all processes; 1 or more."""
    data: bytes = b""
    """Raw JSON."""
    removed: bool = False
    """There is no such key, or no more: who tracks it is told, and it is asked for no longer."""


PollCallback = Callable[[str, Mapping[str, int]], Awaitable[Iterable[PolledItem]]]
"""(channel, key → the version that is known, 0: none) → what is newer. Keys that have not changed are left out."""

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
        self.connect_handler: ConnectHandler | None = None
        self.message_handler: MessageHandler | None = None
        self.server_methods: dict[str, ServerRpcMethod] = {}
        self.polls: dict[str, PollCallback] = {}

    def permission(self, name: str, callback: Permission) -> None:
        """Offer a callback that namespaces name in `subscribe_permission:` and its like."""
        if name in self.permissions:
            raise ValueError(f"permission callback '{name}' is registered twice")
        self.permissions[name] = callback

    def poll(self, name: str, callback: PollCallback) -> None:
        """Offer a callback that namespaces name in `shared_poll: callback:`. It is not held to `DEADLINE_S`."""
        if name in self.polls:
            raise ValueError(f"poll callback '{name}' is registered twice")
        self.polls[name] = callback

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

    def connect(self, callback: ConnectHandler) -> None:
        """Decide about every connection, with or without a token."""
        if self.connect_handler is not None:
            raise ValueError("a connect handler is registered already")
        self.connect_handler = callback

    def message(self, callback: MessageHandler) -> None:
        """Receive messages without reply."""
        if self.message_handler is not None:
            raise ValueError("a message handler is registered already")
        self.message_handler = callback

    def missing(self, namespaces: Namespaces) -> list[str]:
        """Callbacks that namespaces name and nobody offers, a sentence each. Their channels answer error 108."""
        found = []
        for name in namespaces.names:
            rules = namespaces.get(name)
            for option in PERMISSION_OPTIONS:
                callback = getattr(rules, option)
                if callback and callback not in self.permissions:
                    found.append(
                        f"namespace '{name}': {option}: no installed package offers '{callback}'"
                        f" (entry point group {ENTRY_POINT_GROUP})"
                    )
            poll = rules.shared_poll
            if poll is not None and poll.callback not in self.polls:
                found.append(
                    f"namespace '{name}': shared_poll: callback: no installed package offers '{poll.callback}'"
                    f" (entry point group {ENTRY_POINT_GROUP})"
                )
        return found

    def discover(self) -> None:
        """Call every installed package's registration function."""
        for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
            entry_point.load()(self)
