from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actors.protocol import frames
from serve_app.presence.methods import StatusBody, UsersBody
from serve_app.products.live_stock import TrackBody
from serve_app.realtime.reading import ChannelsBody, MarkBody
from serve_app.server_api import schemas
from serve_app.server_api.batch import Batch
from serve_app.server_api.methods import METHODS


def test_only_options_that_are_given_are_overridden() -> None:
    override = msgspec.json.decode(
        b'{"presence": {"value": true}, "force_recovery": {"value": false}, "join_leave": null, "unknown": 1}',
        type=schemas.Override,
    )
    assert override.chosen() == {"presence": True, "force_recovery": False}
    assert msgspec.json.decode(b'{"presence": {}}', type=schemas.Override).chosen() == {"presence": False}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (schemas.Publish, b'{"data": 1}'),
        (schemas.Publish, b'{"channel": "", "data": 1}'),
        (schemas.Publish, b'{"channel": "c", "data": 1, "version": -1}'),
        (schemas.Broadcast, b'{"channels": ["a", ""], "data": 1}'),
        (schemas.Publish, b'{"channel": "c", "data": 1, "exclude_users": [%s]}' % b",".join([b'"u"'] * 1001)),
        (schemas.Broadcast, b'{"channels": ["a"], "data": 1, "exclude_clients": [%s]}' % b",".join([b'"c"'] * 1001)),
        (schemas.Subscribe, b'{"user": "u"}'),
        (schemas.Subscribe, b'{"user": 1, "channel": "c"}'),
        (schemas.Refresh, b'{"user": "u", "expire_at": -1}'),
        (schemas.Rpc, b'{"method": ""}'),
        (schemas.History, b'{"channel": "c", "limit": 1000000000000000000000000000000}'),
        (schemas.History, b'{"channel": "c", "limit": -1000000000000000000000000000000}'),
        (schemas.MapReadState, b'{"channel": "c", "limit": 4294967296}'),
        (schemas.MapReadStream, b'{"channel": "c", "limit": 18446744073709551616}'),
        (schemas.RevokeToken, b'{"uid": "t", "expire_at": 253402300800}'),
        (schemas.InvalidateUserTokens, b'{"user": "u", "issued_before": -1}'),
        (schemas.OneChannel, b"{}"),
    ],
)
def test_bodies_that_are_not_what_they_should_be(kind: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=kind)


def test_unknown_fields_are_ignored() -> None:
    body = msgspec.json.decode(b'{"channel": "c", "data": {"a": 1}, "newer": true}', type=schemas.Publish)
    assert bytes(body.data) == b'{"a": 1}'


RPC_BODIES = (StatusBody, UsersBody, TrackBody, ChannelsBody, MarkBody)


def test_every_number_that_can_be_sent_can_be_handed_on() -> None:
    """JSON has numbers of any length; the way to the shards has 64 bits, and a connection is no place to find out."""
    bodies = [method.body.type for method in METHODS.values()]
    unbounded = [where for body in (*bodies, Batch, frames.Command, *RPC_BODIES) for where in _unbounded(body)]
    assert unbounded == []


def _unbounded(kind: Any) -> Iterator[str]:
    """Numbers below a type that may be longer than 64 bits, or not be numbers at all."""
    seen: set[Any] = set()

    def walk(name: str, found: msgspec.inspect.Type) -> Iterator[str]:
        match found:
            case msgspec.inspect.FloatType():
                yield name
            case msgspec.inspect.IntType(ge=low, le=high):
                if low is None or high is None or low < -(2**63) or high > 2**63 - 1:
                    yield name
            case msgspec.inspect.StructType(cls=cls, fields=fields) if cls not in seen:
                seen.add(cls)
                for field in fields:
                    yield from walk(f"{name}.{field.name}", field.type)
            case msgspec.inspect.UnionType(types=types):
                for each in types:
                    yield from walk(name, each)
            case msgspec.inspect.DictType(value_type=inner):
                yield from walk(name, inner)
            case msgspec.inspect.CollectionType(item_type=inner):
                yield from walk(name, inner)

    yield from walk(kind.__name__, msgspec.inspect.type_info(kind))
