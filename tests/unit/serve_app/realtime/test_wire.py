import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from serve_app.realtime.wire import (
    EVENTS_BODY,
    JSON_MESSAGES,
    JSON_STREAM,
    JSON_STREAM_BODY,
    JSON_WEBSOCKET,
    MESSAGES_PER_FRAME,
    PROTOBUF_STREAM,
    PROTOBUF_STREAM_BODY,
    chunk,
    websocket_frame,
)


def parse(data: bytes) -> list[Frame]:
    """Read frames with an implementation that is not ours."""
    reader = StreamReader()
    reader.feed_data(data)
    frames = []
    while reader.buffer:
        parser = Frame.parse(reader.read_exact, mask=False)
        try:
            next(parser)
        except StopIteration as done:
            frames.append(done.value)
    return frames


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_frames_of_any_length_are_what_others_read(length: int) -> None:
    payload = b"x" * length
    (frame,) = parse(websocket_frame(0x81, payload))
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, payload)


def test_messages_share_frames_up_to_the_bounds() -> None:
    messages = [b"%d" % number for number in range(MESSAGES_PER_FRAME + 1)]
    first, second = parse(JSON_WEBSOCKET.pack(messages))
    assert bytes(first.data).split(b"\n") == messages[:-1]
    assert bytes(second.data) == messages[-1]
    long = b"y" * 70_000
    assert [bytes(frame.data) for frame in parse(JSON_WEBSOCKET.pack([b"1", long, b"2"]))] == [b"1", long, b"2"]


def test_payloads_for_a_server_that_frames_by_itself_stay_one_payload() -> None:
    messages = [b"1"] * (MESSAGES_PER_FRAME + 2)
    assert JSON_MESSAGES.pack(messages).split(b"\n") == messages
    assert JSON_MESSAGES.pack([b"{}"]) == b"{}"


def chunks(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, data = data.split(b"\r\n", 1)
        found.append(data[: int(size, 16)])
        assert data[int(size, 16) :][:2] == b"\r\n"
        data = data[int(size, 16) + 2 :]
    return found


def test_a_stream_of_lines_ends_every_message_and_never_splits_one() -> None:
    messages = [b"%d" % number for number in range(MESSAGES_PER_FRAME + 1)]
    first, second = chunks(JSON_STREAM.pack(messages))
    assert first == b"".join(message + b"\n" for message in messages[:-1])
    assert second == messages[-1] + b"\n"
    assert JSON_STREAM_BODY.pack(messages) == first + second
    long = b"y" * 70_000
    assert chunks(JSON_STREAM.pack([b"1", long, b"2"])) == [b"1\n", long + b"\n", b"2\n"]


def test_a_stream_of_protobuf_is_messages_one_after_another() -> None:
    assert chunks(PROTOBUF_STREAM.pack([b"\x00", b"\x01a"])) == [b"\x00\x01a"]
    assert PROTOBUF_STREAM_BODY.pack([b"\x00", b"\x01a"]) == b"\x00\x01a"
    assert chunk(b"x" * 300) == b"12c\r\n" + b"x" * 300 + b"\r\n"


def test_every_message_is_an_event_of_its_own() -> None:
    assert EVENTS_BODY.pack([b"{}"]) == b"data: {}\n\n"
    assert EVENTS_BODY.pack([b'{"data":[1,\r2]}']) == b'data: {"data":[1, 2]}\n\n', "no end of a line inside an event"
    messages = [b"%d" % number for number in range(MESSAGES_PER_FRAME + 1)]
    assert EVENTS_BODY.pack(messages) == b"".join(b"data: " + message + b"\n\n" for message in messages)
