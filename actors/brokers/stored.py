"""Publications as rows and back: what most of them do not have is one JSON column."""

import msgspec

from actors.brokers.contract import ClientInfo
from actors.brokers.operations import KeyChange, Publish
from actors.brokers.wire import Entry, Pub, encode
from db.streams.reader import StoredPublication


class Attributes(msgspec.Struct, omit_defaults=True):
    """The rare parts of a publication. `app.publish` in SQL writes the same form.

    What decides whether a row of the outbox becomes a publication at all (`mode`, `ttl`, `version`) is there only, and
    so is the `trace` of its transaction. `replaces`: the outbox row of the publication whose place it takes.
    """

    user: str | None = None
    client: str = ""
    conn_info: bytes = b""
    chan_info: bytes = b""
    tags: dict[str, str] | None = None
    delta: bool = False
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    key: str = ""
    removed: bool = False
    score: int = 0
    mode: str = ""
    ttl: int = 0
    version: int = 0
    version_epoch: str = ""
    trace: str = ""
    replaces: int = 0


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Attributes, strict=False)
_NONE = Attributes()


def attributes_of(op: Publish, *, delta: bool) -> str | None:
    """The JSON column of a publication, or None for most."""
    change = op.change
    plain = op.info is None and not op.tags and not delta and not op.exclude_clients and not op.exclude_users
    if plain and change is None:
        return None
    info = op.info or ClientInfo("", "")
    stored = Attributes(
        user=None if op.info is None else info.user,
        client=info.client,
        conn_info=info.conn_info,
        chan_info=info.chan_info,
        tags=op.tags,
        delta=delta,
        exclude_clients=op.exclude_clients,
        exclude_users=op.exclude_users,
        key="" if change is None else change.key,
        removed=change is not None and change.removed,
        score=0 if change is None else change.score,
    )
    return _encoder.encode(stored).decode()


def parse_attributes(column: str | None) -> Attributes:
    """Read the JSON column. What somebody wrote by hand in another form counts as nothing."""
    if column is None:
        return _NONE
    try:
        return _decoder.decode(column)
    except msgspec.ValidationError:
        return _NONE


def encode_stored(data: bytes, offset: int, epoch: str, time_ms: int, attributes: str | None, *, delta: bool) -> bytes:
    """The bytes of a publication that was read from the database, the same as when it was live."""
    rare = parse_attributes(attributes)
    info = None if rare.user is None else ClientInfo(rare.user, rare.client, rare.conn_info, rare.chan_info)
    entry = Entry(rare.key, rare.removed, rare.score) if rare.key else None
    return encode(
        Pub(
            b"" if rare.removed else data,
            offset,
            epoch,
            time_ms,
            info,
            rare.tags,
            delta or rare.delta,
            rare.exclude_clients,
            rare.exclude_users,
            entry,
        )
    )


def change_of(attributes: Attributes) -> KeyChange | None:
    """What a stored publication did to a key of a map, if it is one of a map."""
    if not attributes.key:
        return None
    return KeyChange(attributes.key, attributes.removed, attributes.score, attributes.mode, ttl_s=attributes.ttl)


def encode_row(row: StoredPublication, epoch: str, *, delta: bool) -> bytes:
    """`encode_stored` for a row of the stream."""
    return encode_stored(row.data, row.offset, epoch, row.time_ms, row.attributes, delta=delta)
