"""How a change of a key becomes a publication of the map's stream, and the newest value of its key."""

import msgspec

from actors.brokers.channel import Channel, encode_pub
from actors.brokers.map_state import NEVER, Value
from actors.brokers.operations import Publish


def compose(channel: Channel, op: Publish, offset: int, epoch: str, time_ms: int, *, before: bytes | None) -> bytes:
    """The bytes of the change as hubs will see it. `before` is what it replaces, None for a key that is new.

    It travels along where clients may ask for deltas, so that every hub can make the same one.
    """
    rules = channel.rules
    delta = op.delta or rules.delta_publish
    wanted = delta and bool(rules.allowed_delta_types) and op.change is not None and not op.change.removed
    return encode_pub(op, offset, epoch, time_ms, delta=delta, before=before or b"" if wanted else b"")


def with_tags(op: Publish, tags: dict[str, str] | None) -> Publish:
    """A removal with the tags of what it removes: who filters by tags must hear that it is gone."""
    if not tags or op.tags or op.change is None or not op.change.removed:
        return op
    return msgspec.structs.replace(op, tags=tags)


def tags_of(channel: Channel, key: str) -> dict[str, str] | None:
    """Tags of a key's newest value."""
    value = None if channel.map is None else channel.map.values.get(key)
    return None if value is None else value.tags


def before(channel: Channel, op: Publish) -> bytes | None:
    """What a change replaces."""
    if channel.map is None or op.change is None:
        return None
    value = channel.map.values.get(op.change.key)
    return None if value is None else value.data


def apply(channel: Channel, op: Publish, offset: int, time_ms: int, now: float) -> None:
    """Make it the newest value, once it is part of the stream."""
    state, change = channel.map, op.change
    if state is None or change is None:
        return
    if change.removed:
        state.remove(change.key)
        return
    ttl = change.ttl_s or state.options.key_ttl_s
    pub = encode_pub(op, offset, channel.epoch, time_ms, delta=op.delta or channel.rules.delta_publish)
    expires = now + ttl if ttl else NEVER
    value = Value(pub, op.data, offset, change.score, op.version, op.version_epoch, expires, op.tags)
    state.put(change.key, value)
