"""The permission model of the protocol: what tokens and a namespace let a client do. Pure decisions, no calls."""

from dataclasses import dataclass
from typing import Final, Literal

from actors.protocol.channels import ChannelName
from actors.protocol.codes import ERROR_NOT_AVAILABLE, ERROR_PERMISSION_DENIED, ErrorCode
from actors.protocol.frames import SubscribeRequest
from actors.protocol.namespace_groups import MapOptions
from actors.protocol.namespaces import Namespace
from serve_app.realtime.capabilities import HISTORY, NOTHING, PRESENCE, PUBLISH, SUBSCRIBE

Operation = Literal["publish", "history", "presence"]

CAPABILITY: Final = {"publish": PUBLISH, "history": HISTORY, "presence": PRESENCE}


@dataclass(frozen=True, slots=True)
class Ask:
    """A callback of the application decides."""

    callback: str


def subscribe(
    namespace: Namespace,
    name: ChannelName,
    user: str,
    *,
    has_grant: bool,
    insecure: bool,
    granted: frozenset[str] = NOTHING,
) -> ErrorCode | Ask | None:
    """None: allowed. A verified subscription token alone is enough; a private channel needs one.

    `granted` are the connection's capabilities in the channel.
    """
    if has_grant:
        return None
    if name.private:
        return ERROR_PERMISSION_DENIED
    if SUBSCRIBE in granted:
        return None
    if name.users is not None and namespace.allow_user_limited_channels:
        return None if user and user in name.users else ERROR_PERMISSION_DENIED
    if insecure:
        return None
    if not user and not namespace.allow_subscribe_for_anonymous:
        return ERROR_PERMISSION_DENIED
    if namespace.subscribe_permission:
        return Ask(namespace.subscribe_permission)
    return None if namespace.allow_subscribe_for_client else ERROR_PERMISSION_DENIED


def watch_presence(
    namespace: Namespace,
    name: ChannelName,
    user: str,
    *,
    has_grant: bool,
    insecure: bool,
    granted: frozenset[str] = NOTHING,
) -> ErrorCode | Ask | None:
    """Whether a client may subscribe to the presence of a channel of this namespace as a map. None: allowed.

    A subscription token for it is enough, and so is what lets it read presence. Where subscribers may do that, all who
    may subscribe may; subscribed or not: a client that comes back asks for both in any order.
    """
    if not namespace.presence:
        return ERROR_NOT_AVAILABLE
    if has_grant:
        return None
    verdict = operate("presence", namespace, user, subscribed=False, insecure=insecure, granted=granted)
    if verdict is not ERROR_PERMISSION_DENIED or not namespace.allow_presence_for_subscriber:
        return verdict
    if namespace.presence_permission or (not user and not namespace.allow_presence_for_anonymous):
        return verdict
    return subscribe(namespace, name, user, has_grant=False, insecure=insecure, granted=granted)


def operate(
    operation: Operation,
    namespace: Namespace,
    user: str,
    *,
    subscribed: bool,
    insecure: bool,
    granted: frozenset[str] = NOTHING,
) -> ErrorCode | Ask | None:
    """None: allowed. `granted` are the capabilities in the channel, of connection and subscription."""
    if operation == "history" and not namespace.has_history:
        return ERROR_NOT_AVAILABLE
    if operation == "presence" and not namespace.presence:
        return ERROR_NOT_AVAILABLE
    if insecure or CAPABILITY[operation] in granted:
        return None
    if not user and not getattr(namespace, f"allow_{operation}_for_anonymous"):
        return ERROR_PERMISSION_DENIED
    callback: str = getattr(namespace, f"{operation}_permission")
    if callback:
        return Ask(callback)
    if getattr(namespace, f"allow_{operation}_for_client"):
        return None
    if subscribed and getattr(namespace, f"allow_{operation}_for_subscriber"):
        return None
    return ERROR_PERMISSION_DENIED


def change_key(
    options: MapOptions,
    user: str,
    *,
    removed: bool,
    subscribed: bool,
    insecure: bool,
    granted: frozenset[str] = NOTHING,
) -> ErrorCode | None:
    """Whether a client may set or remove a key of a map. None: allowed. The capability to publish covers both."""
    if insecure or CAPABILITY["publish"] in granted:
        return None
    may = "allow_remove_for" if removed else "allow_publish_for"
    if not user and not getattr(options, f"{may}_anonymous"):
        return ERROR_PERMISSION_DENIED
    if getattr(options, f"{may}_client") or (subscribed and getattr(options, f"{may}_subscriber")):
        return None
    return ERROR_PERMISSION_DENIED


@dataclass(frozen=True, slots=True)
class Features:
    """What a subscription gets of what its client asked for; the rest is silently off."""

    recoverable: bool
    positioned: bool
    pushes_join_leave: bool
    delta: bool = False


def features(
    namespace: Namespace,
    request: SubscribeRequest,
    user: str,
    *,
    insecure: bool,
    granted: frozenset[str] = NOTHING,
) -> Features:
    """Features of a client-side subscription."""
    may_read = operate("history", namespace, user, subscribed=True, insecure=insecure, granted=granted) is None
    may_see = operate("presence", namespace, user, subscribed=True, insecure=insecure, granted=granted) is None
    recoverable = namespace.force_recovery or (
        request.recoverable and namespace.has_history and (namespace.allow_recovery or may_read)
    )
    positioned = namespace.force_positioning or (
        request.positioned and namespace.has_history and (namespace.allow_positioning or may_read)
    )
    join_leave = namespace.join_leave and (namespace.force_push_join_leave or (request.join_leave and may_see))
    delta = request.delta in namespace.allowed_delta_types
    if namespace.batch_flush_latest:
        # Most publications are left out: there is no position to be at.
        return Features(recoverable=False, positioned=False, pushes_join_leave=join_leave, delta=delta)
    if namespace.map is not None:
        # Ephemeral ones too: a client that may have missed something must read all of it again.
        return Features(namespace.map.has_stream, True, join_leave, delta)
    return Features(recoverable, positioned or recoverable, join_leave, delta)


def server_side_features(namespace: Namespace) -> Features:
    """Features of a server-side subscription: what the namespace forces."""
    return Features(
        namespace.force_recovery,
        namespace.force_positioning or namespace.force_recovery,
        namespace.join_leave and namespace.force_push_join_leave,
    )
