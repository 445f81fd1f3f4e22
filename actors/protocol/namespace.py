"""The options of one namespace: each a field with its type, its default and, below it, its meaning.

To add an option, add a field: the YAML reader and docs/namespaces.md know it by that. A field whose name ends in
`_s` is a duration, written in YAML without the suffix, in seconds or as a number with `s`, `m`, `h` or `d`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec

from actors.protocol.channels import MAX_CHANNEL_BYTES

MAX_HISTORY_SIZE = 10_000
"""Publications kept in memory per channel at most: a shard holds many channels."""

DURATION_SUFFIX: Final = "_s"
"""Fields that end so are durations, written without it."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Namespace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one namespace."""

    name: str = ""
    durable: bool = False
    """Publications are committed to Postgres before they are acknowledged; epoch and offset survive any restart."""
    presence: bool = False
    join_leave: bool = False
    force_push_join_leave: bool = False
    """Send join and leave to every subscriber, asked for or not."""
    history_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_HISTORY_SIZE)] = 0
    history_ttl_s: _Count = 0
    history_meta_ttl_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86400
    """How long epoch and top offset outlive the last publication."""
    force_recovery: bool = False
    force_positioning: bool = False
    allow_recovery: bool = False
    allow_positioning: bool = False
    force_recovery_mode: Literal["stream", "cache"] = "stream"
    """`cache`: recovery delivers only the latest publication."""
    recovery_max_publications: Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_SIZE)] = 300
    """More missed than this: `recovered: false`. Also the bound of one history read."""
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_subscriber: bool = False
    allow_publish_for_anonymous: bool = False
    allow_history_for_client: bool = False
    allow_history_for_subscriber: bool = False
    allow_history_for_anonymous: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_subscriber: bool = False
    allow_presence_for_anonymous: bool = False
    allow_user_limited_channels: bool = False
    allow_channel_compaction: bool = True
    """Pushes to clients that understand it carry a small number instead of the channel's name."""
    delta_publish: bool = False
    """Every publication may be sent as a delta against its predecessor."""
    allowed_delta_types: tuple[Literal["fossil"], ...] = ()
    publish_debounce_ms: _Count = 0
    """Asks clients to coalesce their own publications."""
    permission: str = ""
    """Name of the callback that decides whether a signed-in user may subscribe, not `allow_subscribe_for_client`."""
    channel_max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHANNEL_BYTES)] = MAX_CHANNEL_BYTES
    channel_regex: str = ""
    """What follows `namespace:` must match this from start to end; empty: anything."""

    @property
    def has_history(self) -> bool:
        """Whether publications are kept, and so have offsets."""
        return self.history_size > 0 and self.history_ttl_s > 0

    def inconsistencies(self) -> list[tuple[str, str]]:
        """(option, what is wrong) for combinations that could never work."""
        found: list[tuple[str, str]] = []
        if (self.history_size > 0) != (self.history_ttl_s > 0):
            found.append(("history_size", "history needs both history_size and history_ttl"))
        if not self.has_history:
            wants = ["force_recovery", "allow_recovery", "force_positioning", "allow_positioning", "durable"]
            found += [(n, f"{n} needs history_size and history_ttl") for n in wants if getattr(self, n)]
        if self.history_meta_ttl_s < self.history_ttl_s:
            found.append(("history_meta_ttl", "history_meta_ttl must not be shorter than history_ttl"))
        if self.force_push_join_leave and not self.join_leave:
            found.append(("force_push_join_leave", "force_push_join_leave needs join_leave"))
        try:
            re.compile(self.channel_regex)
        except re.error as reason:
            found.append(("channel_regex", f"not a regular expression: {reason}"))
        return found


FIELD_TYPES: Final[Mapping[str, Any]] = {
    name: kind for name, kind in get_type_hints(Namespace, include_extras=True).items() if name != "name"
}
"""Field → its annotated type, in the order of declaration."""

OPTIONS: Final[Mapping[str, str]] = {field.removesuffix(DURATION_SUFFIX): field for field in FIELD_TYPES}
"""Option as written in YAML → field."""


def option_names() -> list[str]:
    """The options of a namespace as they are written in YAML, in the order of their declaration."""
    return list(OPTIONS)
