"""What clients and cache shards say to each other: operations up, items down. Typed arrays in msgpack."""

import msgspec

encode = msgspec.msgpack.Encoder().encode

# Up -------------------------------------------------------------------------------------------------------------------


class Fetch(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Ask for a value: answered with `Value`, or with `Lease` when the asker shall load it."""

    request: int
    key: str


class Fill(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The value that the holder of a lease loaded. Ignored when the lease was voided meanwhile."""

    token: int
    key: str
    value: bytes
    ttl_ms: int
    tags: tuple[str, ...] = ()


class GiveUp(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """The holder of a lease has nothing to fill in: its load failed or must not be cached."""

    token: int
    key: str


class Invalidate(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """Forget these keys and everything made from these tags."""

    request: int
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


Up = Fetch | Fill | GiveUp | Invalidate

# Down -----------------------------------------------------------------------------------------------------------------


class Lease(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Load the value and fill it in: nobody else in the cluster is asked to meanwhile."""

    request: int
    token: int
    key: str


class Value(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The value, and for how long it may still be kept."""

    request: int
    value: bytes
    ttl_ms: int
    tags: tuple[str, ...] = ()


class Invalidated(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """These keys and tags are stale. `sequence` counts the invalidations of this incarnation."""

    sequence: int
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Done(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """An `Invalidate` was applied as number `sequence`."""

    request: int
    sequence: int


class Flush(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Invalidations were dropped because the client did not read them: everything may be stale."""


Down = Lease | Value | Invalidated | Done | Flush
