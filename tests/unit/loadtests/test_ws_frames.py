"""Frames by bytes, checked against the `websockets` library's own engine."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from loadtests.ws_frames import CLOSE, PING, TEXT, FrameReader, client_frame, upgrade_request

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]


def server_frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, payload).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES)
def test_reads_frames_of_every_length_encoding(size: int) -> None:
    payload = b"x" * size
    [(opcode, buffer, start, end)] = FrameReader().feed(server_frame(payload))
    assert (opcode, buffer[start:end]) == (TEXT, payload)


@pytest.mark.parametrize("cut", range(1, 12))
def test_reads_frames_cut_anywhere(cut: int) -> None:
    stream = b"".join(server_frame(b"%d" % n * n) for n in range(1, 200)) + server_frame(b"end", Opcode.PING)
    reader = FrameReader()
    seen = []
    for at in range(0, len(stream), cut):
        seen += [(op, buf[start:end]) for op, buf, start, end in reader.feed(stream[at : at + cut])]
    assert [payload for _, payload in seen[:-1]] == [b"%d" % n * n for n in range(1, 200)]
    assert seen[-1] == (PING, b"end")
    assert reader.is_empty


def test_keeps_an_unfinished_frame() -> None:
    reader = FrameReader()
    assert list(reader.feed(server_frame(b"whole")[:-1])) == []
    assert not reader.is_empty


def test_refuses_fragments() -> None:
    with pytest.raises(ValueError, match="fragmented"):
        list(FrameReader().feed(Frame(Opcode.TEXT, b"part", fin=False).serialize(mask=False)))


@pytest.mark.parametrize("size", SIZES)
def test_server_engine_accepts_handshake_and_frames(size: int) -> None:
    server = ServerProtocol(max_size=1 << 20)
    server.receive_data(upgrade_request("localhost", "/connection/websocket", {"Origin": "http://localhost"}))
    [request] = server.events_received()
    response = server.accept(request)
    assert response.status_code == 101
    server.send_response(response)
    server.receive_data(client_frame(b"y" * size))
    [frame] = server.events_received()
    assert (frame.opcode, bytes(frame.data)) == (Opcode.TEXT, b"y" * size)
    server.receive_data(client_frame((1000).to_bytes(2, "big"), CLOSE))
    assert server.close_rcvd is not None
    assert server.close_rcvd.code == 1000
