"""Groups of options inside a namespace: `map:` for keyed state, `shared_poll:` for values that are polled for.

Like the options of a namespace itself, each is a field with its type, its default and, below it, its meaning.
"""

from typing import Annotated, Final, Literal

import msgspec

MAX_MAP_KEYS: Final = 100_000
"""Keys of one map at most: its owner holds all of them in memory."""

MAX_STREAM_SIZE: Final = 10_000

MAX_VALUES_BYTES: Final = 4 * 1024 * 1024
"""Values that one subscriber may track together: they may all come at once, and it must be able to take them."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_PageSize = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
_Seconds = Annotated[int, msgspec.Meta(ge=1)]


class MapOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`map:`, for the subscription type `map`."""

    mode: Literal["ephemeral", "recoverable", "persistent"]
    """`ephemeral`: a client that comes back reads everything again. `recoverable`: it gets what it missed, from memory.
    `persistent`: the same, with keys and stream committed to Postgres, so that they survive any restart."""
    key_ttl_s: _Count = 0
    """A key that is not published again for this long is removed, and subscribers are told. 0: keys stay."""
    ordered: bool = False
    """Pages come by score, the greatest first (or the least, when the client asks with `asc`)."""
    stream_size: Annotated[int, msgspec.Meta(ge=1, le=MAX_STREAM_SIZE)] = 1000
    """Changes kept for those who come back."""
    stream_ttl_s: _Seconds = 300
    """How long changes are kept."""
    meta_ttl_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86400
    """How long epoch and top offset outlive the last change."""
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=MAX_MAP_KEYS)] = 10_000
    """A new key beyond this many is refused with error 106."""
    max_key_bytes: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 255
    """A longer key is refused with error 107."""
    max_value_bytes: Annotated[int, msgspec.Meta(ge=1)] = 65_536
    """A longer value is refused with error 106."""
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 16 * 1024 * 1024
    """Keys and values of one map together; a change that would make it larger is refused with error 106."""
    allow_publish_for_client: bool = False
    """Everybody who is signed in may set keys."""
    allow_publish_for_subscriber: bool = False
    """Those who are in the channel may set keys."""
    allow_publish_for_anonymous: bool = False
    """What the two options above allow holds for connections without a user too."""
    allow_remove_for_client: bool = False
    """Everybody who is signed in may remove keys."""
    allow_remove_for_subscriber: bool = False
    """Those who are in the channel may remove keys."""
    allow_remove_for_anonymous: bool = False
    """What the two options above allow holds for connections without a user too."""
    client_key: Literal["", "client_id", "user_id"] = ""
    """The key of what clients publish and remove: their connection's id or their user id, whatever they send."""
    remove_client_on_unsubscribe: bool = False
    """The key that equals a connection's id is removed when that connection unsubscribes or goes away."""
    default_page_size: _PageSize = 100
    """Keys in a page, when the client asks for no number."""
    min_page_size: _PageSize = 100
    """A client that asks for fewer gets this many."""
    max_page_size: _PageSize = 1000
    """A client that asks for more gets this many."""
    live_transition_max_publication_limit: _PageSize = 1000
    """Changes that one reply brings at most when a subscription goes live; more: error 112, and the client begins
    anew."""
    subscribe_catch_up_timeout_s: _Seconds = 5
    """A client that has not read all pages by then is closed with 3008."""

    @property
    def has_stream(self) -> bool:
        """Whether clients can recover."""
        return self.mode != "ephemeral"

    def inconsistencies(self) -> list[tuple[str, str]]:
        """(option, what is wrong) for combinations that could never work."""
        found: list[tuple[str, str]] = []
        if self.mode == "persistent" and self.key_ttl_s:
            found.append(("key_ttl", "keys of a persistent map stay until they are removed"))
        if self.mode != "persistent" and not self.key_ttl_s:
            found.append(("mode", f"a map in mode {self.mode} needs key_ttl"))
        if self.meta_ttl_s < self.stream_ttl_s:
            found.append(("meta_ttl", "meta_ttl must not be shorter than stream_ttl"))
        if not self.min_page_size <= self.default_page_size <= self.max_page_size:
            found.append(("default_page_size", "default_page_size must lie between min_page_size and max_page_size"))
        if self.client_key != "client_id" and self.remove_client_on_unsubscribe:
            what = "remove_client_on_unsubscribe removes keys that are connection ids: it needs client_key: client_id"
            found.append(("remove_client_on_unsubscribe", what))
        if self.mode == "persistent" and self.remove_client_on_unsubscribe:
            what = "keys of a persistent map outlive the processes that would remove them for a connection"
            found.append(("remove_client_on_unsubscribe", what))
        return found


class SharedPollOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`shared_poll:`, for the subscription type `shared_poll`."""

    callback: str
    """Name of the Python callback that is asked for the values."""
    interval_ms: Annotated[int, msgspec.Meta(ge=100, le=3_600_000)] = 1_000
    """How often it is asked: once in the whole cluster for all who track a key."""
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    """Keys in one call of the callback at most."""
    max_keys_per_subscriber: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 250
    """Keys that one connection tracks in a channel; more: error 106."""
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000
    """Keys of one channel that are tracked in one process; more: error 106. With more than this in the whole cluster,
    processes ask for the others themselves."""
    max_key_bytes: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 255
    """A longer key is refused with error 107."""
    max_value_bytes: Annotated[int, msgspec.Meta(ge=1)] = 16_384
    """A longer value is logged and not sent."""
    epoch: str = "1"
    """Change it when the versions of the backend begin anew: clients then forget those they have."""

    def inconsistencies(self) -> list[tuple[str, str]]:
        """(option, what is wrong) for combinations that could never work."""
        if not self.callback:
            return [("callback", "callback names the Python callback that is asked")]
        if self.max_keys_per_subscriber * self.max_value_bytes > MAX_VALUES_BYTES:
            what = f"max_keys_per_subscriber values of max_value_bytes must not exceed {MAX_VALUES_BYTES} bytes"
            return [("max_keys_per_subscriber", what)]
        return []
