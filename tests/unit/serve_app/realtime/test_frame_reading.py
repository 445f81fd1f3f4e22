import msgspec
import pytest

from actors.protocol import frames
from actors.protocol.json_codec import JSON
from actors.protocol.protobuf_codec import PROTOBUF, WIRE
from actors.protocol.protobuf_wire import write_varint
from serve_app.realtime.frame_reading import FRAME_BYTES, commands, readable, replies


def length_prefixed(message: msgspec.Struct) -> bytes:
    content = WIRE.encode(message)
    out = bytearray()
    write_varint(out, len(content))
    return bytes(out) + content


CONNECT = frames.Command(
    id=1,
    connect=frames.ConnectRequest(
        token="eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln",
        headers={"x-anything": "sesame"},
        data=frames.raw(b'{"password":"sesame","note":"Bearer abcdefgh12345","page":3}'),
    ),
)
SHOWN = {
    "id": 1,
    "connect": {
        "token": "[redacted]",
        "headers": {"x-anything": "[redacted]"},
        "data": {"password": "[redacted]", "note": "Bearer [redacted]", "page": 3},
    },
}


@pytest.mark.parametrize("encoded", ["json", "protobuf"])
def test_commands_are_read_without_their_secrets(encoded: str) -> None:
    if encoded == "json":
        frame = msgspec.json.encode(CONNECT) + b'\n{"id":2,"history":{"channel":"c"}}\n'
        shown = list(commands(JSON, frame))
    else:
        history = frames.Command(id=2, history=frames.HistoryRequest("c"))
        shown = list(commands(PROTOBUF, length_prefixed(CONNECT) + length_prefixed(history)))
    assert shown == [SHOWN, {"id": 2, "history": {"channel": "c"}}]
    assert "sesame" not in str(shown)


@pytest.mark.parametrize("codec", [JSON, PROTOBUF])
def test_replies_are_read(codec: object) -> None:
    assert codec in (JSON, PROTOBUF)
    encode = JSON.encode if codec is JSON else PROTOBUF.encode
    reader = JSON if codec is JSON else PROTOBUF
    push = frames.Push(channel="c", pub=frames.Publication(frames.raw(b'{"a":1,"api_key":"k"}'), offset=3))
    error = frames.Reply(id=7, error=frames.Error(103, "permission denied"))
    assert list(replies(reader, [encode(frames.Reply(push=push)), encode(error)])) == [
        {"push": {"channel": "c", "pub": {"data": {"a": 1, "api_key": "[redacted]"}, "offset": 3}}},
        {"id": 7, "error": {"code": 103, "message": "permission denied"}},
    ]


def test_what_cannot_be_read_says_so() -> None:
    assert list(commands(JSON, b"{")) == [{"unreadable": True, "bytes": 1}]
    assert list(commands(PROTOBUF, b"\xff\xff")) == [{"unreadable": True, "bytes": 2}]
    assert list(replies(PROTOBUF, [b"\x02\x08"])) == [{"unreadable": True, "bytes": 2}]
    opaque = frames.Command(id=1, publish=frames.PublishRequest("c", data=frames.raw(b"\x00\x01 no json")))
    assert list(commands(PROTOBUF, length_prefixed(opaque))) == [{"unreadable": True, "kind": "publish"}]


def test_long_frames_are_cut() -> None:
    shown = readable({"data": "x" * 5_000})
    assert shown["bytes"] > 5_000
    assert len(shown["start"]) == FRAME_BYTES


def test_nesting_does_not_break_it() -> None:
    value: object = 1
    for _ in range(5_000):
        value = [value]
    assert readable(value) == {"unreadable": True}


@pytest.mark.parametrize("codec", [JSON, PROTOBUF])
def test_the_session_that_commands_are_posted_for_is_not_shown(codec: object) -> None:
    result = frames.ConnectResult("c", "1", session="the only credential", node="n")
    [shown] = replies(codec, [codec.encode(frames.Reply(id=1, connect=result))])  # type: ignore[arg-type, attr-defined]
    assert shown["connect"]["session"] == "[redacted]"
    assert "credential" not in str(shown)
