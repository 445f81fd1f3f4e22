"""The options of one namespace: each a field with its type, its default and, below it, its meaning.

To add an option, add a field: the YAML reader and docs/namespaces.md know it by that. A field whose name ends in
`_s` is a duration, written in YAML without the suffix, in seconds or as a number with `s`, `m`, `h` or `d`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, get_type_hints

import msgspec

from actors.protocol.channel_patterns import segments
from actors.protocol.channels import MAX_CHANNEL_BYTES
from actors.protocol.namespace_groups import MapOptions, SharedPollOptions
from actors.protocol.rates import WrittenRate

MAX_HISTORY_SIZE = 10_000
"""Publications kept in memory per channel at most: a shard holds many channels."""

MAX_BATCH_DELAY_MS = 60_000

DURATION_SUFFIX: Final = "_s"
"""Fields that end so are durations, written without it."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_PUBLISHING: Final = {
    "allow_publish_for_client",
    "allow_publish_for_subscriber",
    "allow_publish_for_anonymous",
    "delta_publish",
    "allow_tags_filter",
    "batch_max_delay_ms",
}
"""Options that mean nothing where nobody publishes."""
_RECOVERY: Final = ("force_recovery", "force_positioning", "allow_recovery", "allow_positioning")

SessionEventName = Literal["connected", "disconnected", "subscribed", "unsubscribed", "occupied", "vacated"]


class Namespace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one namespace."""

    name: str = ""
    subscription_type: Literal["stream", "map", "shared_poll"] = "stream"
    """What clients subscribe to: a stream of publications, a map of keys, or keys whose values are polled for."""
    map: MapOptions | None = None
    """Options of maps, below."""
    shared_poll: SharedPollOptions | None = None
    """Options of shared polls, below."""
    durable: bool = False
    """Publications are committed to Postgres before they are acknowledged; epoch and offset survive any restart."""
    presence: bool = False
    """Who is in a channel is known, and can be read."""
    join_leave: bool = False
    """Joining and leaving are events; subscribers get them when they ask and may read presence."""
    force_push_join_leave: bool = False
    """Send join and leave to every subscriber, asked for or not."""
    join_leave_threshold: _Count = 500
    """In a channel with more connections, joins and leaves are gathered and sent as one difference; 0: never."""
    join_leave_interval_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 1_000
    """How long they are gathered. Who came and went within that time is not mentioned."""
    join_leave_limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """More of them in one interval: a sample of so many is sent. `presence_stats` is always exact. Presence as a map is
    gathered likewise, but what is beyond the limit waits: its watchers hear of everybody."""
    user_leave_delay_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 5_000
    """In presence as a map, a user stays so long after their last connection left: who reloads a page did not leave."""
    presence_limit: Annotated[int, msgspec.Meta(ge=0)] = 1_000
    """A presence reply names so many connections at most, the longest in the channel first; 0: all."""
    session_events: tuple[SessionEventName, ...] = ()
    """Reliable events for the application's handlers; each is a row in Postgres. `connected` and `disconnected`: of
    connections that enter a channel of this namespace (on the personal channel's namespace: of every signed-in
    connection). `subscribed`, `unsubscribed`, `occupied`, `vacated`: of its channels."""
    read_positions: bool = False
    """Subscribers may say how far they have read (rpc `read`); needs `durable`."""
    push_read_positions: bool = False
    """Tell the channel when somebody has read further."""
    history_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_HISTORY_SIZE)] = 0
    """Publications kept per channel, the newest ones."""
    history_ttl_s: _Count = 0
    """How long publications are kept."""
    history_meta_ttl_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86400
    """How long epoch and top offset outlive the last publication."""
    force_recovery: bool = False
    """Every subscription remembers its position and gets what it missed, asked for or not."""
    force_positioning: bool = False
    """Every subscription notices gaps, and its client is told to come back, asked for or not."""
    allow_recovery: bool = False
    """Clients that ask get recovery, even where they may not read history."""
    allow_positioning: bool = False
    """Clients that ask get positioning, even where they may not read history."""
    force_recovery_mode: Literal["stream", "cache"] = "stream"
    """`cache`: recovery delivers only the latest publication."""
    recovery_max_publications: Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_SIZE)] = 300
    """More missed than this: `recovered: false`. Also the bound of one history read."""
    allow_subscribe_for_client: bool = False
    """Everybody who is signed in may subscribe."""
    allow_subscribe_for_anonymous: bool = False
    """What the option above allows holds for connections without a user too. Alone it opens nothing."""
    allow_publish_for_client: bool = False
    """Everybody who is signed in may publish, in the channel or not."""
    allow_publish_for_subscriber: bool = False
    """Those who are in the channel may publish."""
    allow_publish_for_anonymous: bool = False
    """What the two options above allow holds for connections without a user too."""
    allow_history_for_client: bool = False
    """Everybody who is signed in may read history."""
    allow_history_for_subscriber: bool = False
    """Those who are in the channel may read history."""
    allow_history_for_anonymous: bool = False
    """What the two options above allow holds for connections without a user too."""
    allow_presence_for_client: bool = False
    """Everybody who is signed in may read presence."""
    allow_presence_for_subscriber: bool = False
    """Those who are in the channel may read presence; as a map, those who may subscribe to the channel."""
    allow_presence_for_anonymous: bool = False
    """What the two options above allow holds for connections without a user too."""
    allow_user_limited_channels: bool = False
    """`channel#41,42` is for the users 41 and 42, who may subscribe without any other permission."""
    allow_channel_compaction: bool = True
    """Pushes to clients that understand it carry a small number instead of the channel's name."""
    delta_publish: bool = False
    """Every publication may be sent as a delta against its predecessor."""
    allowed_delta_types: tuple[Literal["fossil"], ...] = ()
    """Deltas that clients may ask for."""
    allow_tags_filter: bool = False
    """Subscribers may ask for those publications only whose tags match a filter."""
    publish_debounce_ms: _Count = 0
    """Asks clients to coalesce their own publications."""
    batch_max_delay_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_BATCH_DELAY_MS)] = 0
    """Publications of a channel wait this long for others, to leave in one write; 0: they leave at once."""
    batch_max_size: _Count = 0
    """This many publications leave without waiting any longer; 0: only the delay counts."""
    batch_flush_latest: bool = False
    """Of those that gathered only the latest is sent. Subscriptions then have no position and no recovery."""
    subscribe_permission: str = ""
    """Name of the Python callback that decides who may subscribe, instead of `allow_subscribe_for_client`."""
    publish_permission: str = ""
    """The same for publishing, instead of `allow_publish_for_client` and `allow_publish_for_subscriber`."""
    history_permission: str = ""
    """The same for reading history."""
    presence_permission: str = ""
    """The same for reading presence and its counts."""
    pattern: str = ""
    """Channels of this form, such as `/users/:user`, belong to the namespace, and no others. Permission callbacks get
    the variables."""
    channel_max_subscribers: _Count = 0
    """Connections in one channel at most; one more gets error 106. 0: no limit."""
    channel_publish_rate: WrittenRate = ""
    """Publications of clients into one channel, from all of them together, such as `100/s`; more: error 111."""
    publication_max_bytes: _Count = 0
    """A longer publication is refused with error 106. 0: what a frame holds."""
    subscribe_rate: WrittenRate = ""
    """Of one connection, in all channels of the namespace; more: error 111. The rates that hold everywhere are in
    `rate_limits:` of the file."""
    publish_rate: WrittenRate = ""
    """The same for publishing."""
    history_rate: WrittenRate = ""
    """The same for reading history."""
    presence_rate: WrittenRate = ""
    """The same for reading presence and its counts."""
    channel_max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHANNEL_BYTES)] = MAX_CHANNEL_BYTES
    """Bytes of a channel's whole name; a longer one is error 107."""
    channel_regex: str = ""
    """What follows `namespace:` must match this from start to end, or it is error 107; empty: anything."""

    @property
    def has_rates(self) -> bool:
        """Whether connections are held to rates in this namespace."""
        return bool(self.subscribe_rate or self.publish_rate or self.history_rate or self.presence_rate)

    @property
    def has_history(self) -> bool:
        """Whether publications are kept, and so have offsets."""
        return self.history_size > 0 and self.history_ttl_s > 0

    @property
    def is_map(self) -> bool:
        """Whether channels are maps of keys."""
        return self.map is not None

    def with_stream_of_map(self) -> Self:
        """The same rules, with the stream that a map's changes need: a map is a stream whose newest values are kept."""
        options = self.map
        if options is None:
            return self
        return msgspec.structs.replace(
            self,
            durable=options.mode == "persistent",
            history_size=options.stream_size,
            history_ttl_s=options.stream_ttl_s,
            history_meta_ttl_s=options.meta_ttl_s,
            recovery_max_publications=options.live_transition_max_publication_limit,
        )

    def inconsistencies(self) -> list[tuple[str, str]]:
        """(option, what is wrong) for combinations that could never work."""
        found: list[tuple[str, str]] = self._group_inconsistencies()
        if (self.history_size > 0) != (self.history_ttl_s > 0):
            found.append(("history_size", "history needs both history_size and history_ttl"))
        if not self.has_history:
            wants = ["force_recovery", "allow_recovery", "force_positioning", "allow_positioning", "durable"]
            found += [(n, f"{n} needs history_size and history_ttl") for n in wants if getattr(self, n)]
        if self.history_meta_ttl_s < self.history_ttl_s:
            found.append(("history_meta_ttl", "history_meta_ttl must not be shorter than history_ttl"))
        if self.force_push_join_leave and not self.join_leave:
            found.append(("force_push_join_leave", "force_push_join_leave needs join_leave"))
        if not self.batch_max_delay_ms:
            wants = ["batch_max_size", "batch_flush_latest"]
            found += [(n, f"{n} needs batch_max_delay_ms") for n in wants if getattr(self, n)]
        if self.batch_flush_latest:
            refused = [*_RECOVERY, "allow_recovery", "allow_positioning"]
            found += [
                (n, f"{n} promises every publication, batch_flush_latest only the latest")
                for n in refused
                if getattr(self, n)
            ]
        if self.pattern:
            try:
                segments(self.pattern)
            except ValueError as reason:
                found.append(("pattern", f"pattern: {reason}"))
            if self.durable or (self.map is not None and self.map.mode == "persistent"):
                what = "a namespace with a pattern cannot be durable: the outbox knows namespaces by their prefix"
                found.append(("pattern", what))
        if self.read_positions and not self.durable:
            found.append(("read_positions", "read_positions needs durable: positions must survive a restart"))
        if self.push_read_positions and not self.read_positions:
            found.append(("push_read_positions", "push_read_positions needs read_positions"))
        try:
            re.compile(self.channel_regex)
        except re.error as reason:
            found.append(("channel_regex", f"not a regular expression: {reason}"))
        return found

    def _group_inconsistencies(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        kind = self.subscription_type
        if kind == "map" and self.map is None:
            found.append(("subscription_type", "subscription_type map needs the options of `map:`"))
        if kind != "map" and self.map is not None:
            found.append(("map", "`map:` needs a subscription_type that uses it"))
        if kind == "shared_poll" and self.shared_poll is None:
            found.append(("subscription_type", "subscription_type shared_poll needs the options of `shared_poll:`"))
        if kind != "shared_poll" and self.shared_poll is not None:
            found.append(("shared_poll", "`shared_poll:` needs a subscription_type that uses it"))
        if kind != "stream":
            refused = {
                "durable",
                "history_size",
                "history_ttl_s",
                "publish_permission",
                "batch_flush_latest",
                *_RECOVERY,
            }
            if kind == "shared_poll":
                refused |= _PUBLISHING
            found += [
                (option, f"{option} is for streams, not for subscription_type {kind}")
                for option, field in OPTIONS.items()
                if field in refused and getattr(self, field)
            ]
        return found


GROUPS: Final[Mapping[str, type[msgspec.Struct]]] = {"map": MapOptions, "shared_poll": SharedPollOptions}
"""Option that holds options itself → its type."""


def field_types(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Field → its annotated type, in the order of declaration."""
    return {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name != "name"}


def written_options(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """Option as written in YAML → field."""
    return {field.removesuffix(DURATION_SUFFIX): field for field in field_types(kind)}


def written(rules: msgspec.Struct) -> dict[str, Any]:
    """The options in force that differ from their defaults, or have none, as they are written in YAML.

    A group of options holds the same. What follows from others, such as the stream of a map, is among them.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(rules)}
    found: dict[str, Any] = {}
    for option, field in written_options(type(rules)).items():
        value = getattr(rules, field)
        if value == defaults[field]:
            continue
        if isinstance(value, msgspec.Struct):
            value = written(value)
        elif field.endswith(DURATION_SUFFIX):
            value = _duration(value)
        elif isinstance(value, tuple):
            value = list(value)
        found[option] = value
    return found


def _duration(seconds: int) -> str | int:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return seconds


OPTIONS: Final = written_options(Namespace)


def option_names() -> list[str]:
    """The options of a namespace as they are written in YAML, in the order of their declaration."""
    return list(OPTIONS)
