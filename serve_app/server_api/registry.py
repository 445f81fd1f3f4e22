"""What a method of the server API is, what a key lets it do, and how it ends.

A module of methods makes `Method` objects; `serve_app.server_api.methods` collects them by name. Results and errors are
those that server SDKs of the protocol expect.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import msgspec

from actors.brokers.contract import BrokerClient, BrokerError
from actors.protocol import codes
from actors.protocol.channel_patterns import SLASH
from actors.protocol.channels import PRIVATE_PREFIX, InvalidChannel, parse
from actors.protocol.namespaces import DEFAULT_NAMESPACE, Namespaces
from actors.sessions.contract import SessionClient, SessionsUnreachable
from db.errors import InvalidInput, Unavailable
from db.session import Database
from serve_app.realtime.handlers import Handlers
from serve_app.security.principal import Principal

PUBLISH: Final = "realtime:publish"
READ: Final = "realtime:read"
ADMIN: Final = "realtime:admin"


class Refused(Exception):
    """A method ends with an error of the protocol."""

    def __init__(self, error: codes.ErrorCode, message: str = "") -> None:
        super().__init__(message or error.text)
        self.code = error.code
        self.message = message or error.text


@dataclass(frozen=True, slots=True)
class Shards:
    """What the methods call."""

    brokers: BrokerClient
    sessions: SessionClient


class Reach(Enum):
    """What a method touches: decides what a key limited to namespaces may do with it."""

    CHANNEL = "channel"
    """The channel that its body names."""
    LISTED = "listed"
    """Several channels: the method asks `Grant.touches` about each."""
    EVERYTHING = "everything"
    """Users or the whole server: nothing for such a key."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key may do. The configured key, and no other, has `everything`."""

    everything: bool = False
    permissions: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, principal: Principal) -> "Grant":
        """What a database key says."""
        return cls(False, principal.permissions, principal.methods, principal.namespaces)

    def allows(self, method: "Method") -> bool:
        """Whether the method may be called at all."""
        if self.everything:
            return True
        if self.methods and method.name not in self.methods:
            return False
        return method.permission in self.permissions or ADMIN in self.permissions

    def touches(self, channel: str) -> bool:
        """Whether the channel's namespace is one of those that the key is limited to."""
        if not self.namespaces:
            return True
        if channel.removeprefix(PRIVATE_PREFIX).startswith(SLASH):
            # Its namespace is known by its pattern and not by its name: a limited key does not get there.
            return False
        try:
            return (parse(channel).namespace or DEFAULT_NAMESPACE) in self.namespaces
        except InvalidChannel:
            return False


FULL_GRANT: Final = Grant(everything=True)


@dataclass(frozen=True, slots=True)
class Context:
    """One call's surroundings."""

    shards: Shards
    grant: Grant = FULL_GRANT
    handlers: Handlers = field(default_factory=Handlers)
    """What the application offers to `rpc`."""
    database: Database | None = None
    """For methods that write rows."""
    namespaces: Namespaces | None = None
    """The rules of channels, for what must be refused here because nobody is told later."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what its key must be allowed, its body, what it does. `run` raises Refused or BrokerError."""

    name: str
    permission: str
    body: msgspec.json.Decoder[Any]
    run: Callable[[Context, Any], Awaitable[Any]]
    reach: Reach = Reach.CHANNEL


def method(
    name: str,
    permission: str,
    body: type[Any],
    run: Callable[[Context, Any], Awaitable[Any]],
    reach: Reach = Reach.CHANNEL,
) -> Method:
    """A method whose body is a struct of this type."""
    return Method(name, permission, msgspec.json.Decoder(body), run, reach)


def within_reach(grant: Grant, called: Method, body: Any) -> bool:
    """Whether a key limited to namespaces may do this."""
    if not grant.namespaces or called.reach is Reach.LISTED:
        return True
    return called.reach is Reach.CHANNEL and grant.touches(body.channel)


async def outcome(run: Awaitable[Any]) -> Mapping[str, Any]:
    """`{"result": …}` of a method that is running, or the `{"error": …}` that it ended with."""
    try:
        return {"result": await run}
    except (BrokerError, Refused) as reason:
        return failure(reason.code, reason.message)
    except InvalidInput as reason:
        return failure(codes.ERROR_BAD_REQUEST.code, str(reason))
    except (SessionsUnreachable, Unavailable) as reason:
        # An answer like any other: were it the whole request's, a batch that is sent again would publish twice.
        return failure(codes.ERROR_INTERNAL.code, str(reason))


def failure(code: int, message: str) -> Mapping[str, Any]:
    """An error of the protocol."""
    return {"error": {"code": code, "message": message}}


async def run_command(context: Context, called: Method, raw: bytes | msgspec.Raw) -> Mapping[str, Any]:
    """The outcome of one command among others: what its key may not do is an error of this command alone."""
    if not context.grant.allows(called):
        return failure(codes.ERROR_PERMISSION_DENIED.code, f"the key may not call '{called.name}'")
    try:
        body = called.body.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
        return failure(codes.ERROR_BAD_REQUEST.code, f"bad request: {reason}")
    if not within_reach(context.grant, called, body):
        return failure(codes.ERROR_PERMISSION_DENIED.code, "the key is limited to other namespaces")
    return await outcome(called.run(context, body))
