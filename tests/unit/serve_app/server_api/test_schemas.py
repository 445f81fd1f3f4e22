import msgspec
import pytest

from serve_app.server_api import schemas


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
        (schemas.Subscribe, b'{"user": "u"}'),
        (schemas.Subscribe, b'{"user": 1, "channel": "c"}'),
        (schemas.Refresh, b'{"user": "u", "expire_at": -1}'),
        (schemas.Rpc, b'{"method": ""}'),
        (schemas.OneChannel, b"{}"),
    ],
)
def test_bodies_that_are_not_what_they_should_be(kind: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=kind)


def test_unknown_fields_are_ignored() -> None:
    body = msgspec.json.decode(b'{"channel": "c", "data": {"a": 1}, "newer": true}', type=schemas.Publish)
    assert bytes(body.data) == b'{"a": 1}'
