import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from serve_app.realtime.wire import JSON_MESSAGES, JSON_WEBSOCKET, MESSAGES_PER_FRAME, websocket_frame


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
