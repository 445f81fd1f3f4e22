"""Bodies of the server API. Unknown fields are ignored; payloads stay as they were sent.

Every number is bounded by what its consumer can hold: JSON has numbers that the way to the shards has not.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from actors.protocol.codec import MAX_FRAME_BYTES
from actors.protocol.frames import EMPTY, UInt63
from serve_app.realtime.claims import MAX_TIME

MAX_DATA_BYTES = MAX_FRAME_BYTES * 8
"""Longest payload of one publication: half of what a client may have waiting."""

MAX_KEY_TTL_S = 366 * 86_400

MAX_CHANNELS = 1000
"""Channels of one broadcast."""

MAX_EXCLUDED = 1000
"""Connections, and users, that one publication leaves out: each of them is kept with it."""

Excluded = Annotated[tuple[str, ...], Meta(max_length=MAX_EXCLUDED)]
Channel = Annotated[str, Meta(min_length=1, max_length=255)]
Key = Annotated[str, Meta(min_length=1, max_length=1024)]
User = Annotated[str, Meta(min_length=1, max_length=255)]
UserOrNobody = Annotated[str, Meta(max_length=255)]
"""Empty: a connection without a user, which `client` then names."""
Limit = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""How many at most, an `int32` of the server SDKs. Below zero: as many as the server gives."""
UnixSeconds = Annotated[int, Meta(ge=0, le=MAX_TIME)]
"""A moment before the year 10000, where databases' and Python's calendars end; 0: not said."""


class Publish(Struct):
    """`data` is any JSON value; `b64data` is base64 of its text, for clients that cannot embed it."""

    channel: Channel
    data: Raw = EMPTY
    b64data: str = ""
    tags: dict[str, str] = {}
    skip_history: bool = False
    idempotency_key: Annotated[str, Meta(max_length=255)] = ""
    delta: bool = False
    version: UInt63 = 0
    version_epoch: str = ""
    exclude_clients: Excluded = ()
    exclude_users: Excluded = ()


class Broadcast(Struct):
    """The same publication into many channels."""

    channels: Annotated[list[Channel], Meta(min_length=1, max_length=MAX_CHANNELS)]
    data: Raw = EMPTY
    b64data: str = ""
    tags: dict[str, str] = {}
    skip_history: bool = False
    idempotency_key: Annotated[str, Meta(max_length=255)] = ""
    delta: bool = False
    version: UInt63 = 0
    version_epoch: str = ""
    exclude_clients: Excluded = ()
    exclude_users: Excluded = ()


class OneChannel(Struct):
    """A question about a channel."""

    channel: Channel


class Since(Struct):
    """A stream position."""

    offset: UInt63 = 0
    epoch: str = ""


class History(Struct):
    """`limit` 0: only the position; -1: all, up to the server's bound."""

    channel: Channel
    limit: Limit = 0
    since: Since | None = None
    reverse: bool = False


class DisconnectCode(Struct):
    """How to close. Reconnecting is decided by the range of the code."""

    code: Annotated[int, Meta(ge=3000, le=4999)]
    reason: Annotated[str, Meta(max_length=120)] = ""


class Disconnect(Struct):
    """Close a user's connections: all, one login session's, or one; not those in `whitelist`."""

    user: UserOrNobody = ""
    client: str = ""
    session: str = ""
    whitelist: tuple[str, ...] = ()
    disconnect: DisconnectCode | None = None


class RevokeToken(Struct):
    """One token by its `jti`. Times are Unix seconds; 0: not said."""

    uid: User
    expire_at: UnixSeconds = 0


class InvalidateUserTokens(Struct):
    """A user's tokens by when they were issued; with `channel`, only subscription tokens for it.

    Times are Unix seconds; 0: now for `issued_before`.
    """

    user: User
    channel: Annotated[str, Meta(max_length=255)] = ""
    issued_before: UnixSeconds = 0
    expire_at: UnixSeconds = 0


class BlockUser(Struct):
    """A user by what tokens call them. `expire_at`: Unix seconds; 0: until `unblock_user`."""

    user: User
    expire_at: UnixSeconds = 0


class UnblockUser(Struct):
    """A user by what tokens call them."""

    user: User


class BoolValue(Struct):
    """An option that is set, to either value."""

    value: bool = False


class Override(Struct):
    """Options of the namespace that this subscription has otherwise."""

    presence: BoolValue | None = None
    join_leave: BoolValue | None = None
    force_push_join_leave: BoolValue | None = None
    force_recovery: BoolValue | None = None
    force_positioning: BoolValue | None = None

    def chosen(self) -> dict[str, bool]:
        """Those that are given."""
        return {name: option.value for name in self.__struct_fields__ if (option := getattr(self, name)) is not None}


class Subscribe(Struct):
    """Subscribe a user's connections: all, one login session's, or one. `expire_at`: Unix seconds."""

    channel: Channel
    user: UserOrNobody = ""
    client: str = ""
    session: str = ""
    info: Raw = EMPTY
    b64info: str = ""
    data: Raw = EMPTY
    b64data: str = ""
    expire_at: UInt63 = 0
    recover_since: Since | None = None
    override: Override | None = None


class UnsubscribeCode(Struct):
    """How a subscription ends. From 2500 on, SDKs subscribe again."""

    code: Annotated[int, Meta(ge=2000, le=2999)]
    reason: Annotated[str, Meta(max_length=120)] = ""


class Unsubscribe(Struct):
    """Take a channel away from a user's connections; without a channel, every one that they have."""

    user: UserOrNobody = ""
    channel: Annotated[str, Meta(max_length=255)] = ""
    client: str = ""
    session: str = ""
    unsubscribe: UnsubscribeCode | None = None


class Refresh(Struct):
    """Another end for a user's connections. `expire_at`: Unix seconds; 0: they do not expire. `expired`: now."""

    user: UserOrNobody = ""
    client: str = ""
    session: str = ""
    expired: bool = False
    expire_at: UInt63 = 0


class SendMessage(Struct):
    """A message for a user's connections: all, one login session's, or one."""

    user: UserOrNobody = ""
    data: Raw = EMPTY
    b64data: str = ""
    client: str = ""
    session: str = ""


class Connections(Struct):
    """Who is connected as this user? `expression` is a filter of another server, refused unless empty."""

    user: User
    expression: str = ""


class Rpc(Struct):
    """Call a method of the application."""

    method: Annotated[str, Meta(min_length=1, max_length=128)]
    params: Raw = EMPTY


class MapPublish(Struct):
    """Set a key. `key_mode`: `if_new`, `if_exists`. `version` is the key's, `expected_position` its newest change's.

    `key_ttl`: seconds after which the key is removed unless it is set again; 0: as the namespace says.
    """

    channel: Channel
    key: Key
    data: Raw = EMPTY
    b64data: str = ""
    tags: dict[str, str] = {}
    score: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] = 0
    key_mode: Literal["", "if_new", "if_exists"] = ""
    key_ttl: Annotated[int, Meta(ge=0, le=MAX_KEY_TTL_S)] = 0
    idempotency_key: Annotated[str, Meta(max_length=255)] = ""
    version: UInt63 = 0
    version_epoch: str = ""
    delta: bool = False
    expected_position: Since | None = None


class MapRemove(Struct):
    """Remove a key."""

    channel: Channel
    key: Key
    tags: dict[str, str] = {}
    idempotency_key: Annotated[str, Meta(max_length=255)] = ""
    expected_position: Since | None = None


class MapReadState(Struct):
    """Read keys from `cursor` on, or one. `limit` 0: none, only how many there are."""

    channel: Channel
    limit: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    cursor: Annotated[str, Meta(max_length=2048)] = ""
    key: Annotated[str, Meta(max_length=1024)] = ""
    asc: bool = False


class MapReadStream(Struct):
    """Read changes. `limit` 0: only the position."""

    channel: Channel
    limit: Limit = 0
    since_offset: UInt63 = 0
    since_epoch: str = ""
    reverse: bool = False


class Channels(Struct):
    """`pattern` is a glob."""

    pattern: str = ""


class Nothing(Struct):
    """No parameters."""
