import json

import pytest
from centrifuge.protocol import client_pb2 as sdk
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol import emulation
from actors.protocol.emulation import NoEmulationRequest


def test_both_encodings_carry_a_frame_of_commands() -> None:
    text = json.dumps({"node": "n", "session": "s", "data": '{"id":1}\n{"id":2}', "later": 1}).encode()
    assert emulation.decode(text, binary=False) == ("n", "s", b'{"id":1}\n{"id":2}')
    message = sdk.EmulationRequest(node="n", session="s", data=b"\x01\xff").SerializeToString()
    assert emulation.decode(message, binary=True) == ("n", "s", b"\x01\xff")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"node":"n","session":"s"}',
        b'{"node":"n","session":"s","data":""}',
        b'{"node":"n","session":"","data":"{}"}',
        b'{"node":"","session":"s","data":"{}"}',
        b'{"node":"n","session":"s","data":{"id":1}}',
        b'{"node":"n","session":"s","data":"\\ud800"}',
        b'{"node":"n","session":"s","data":"\xff"}',
        b"[" * 5_000,
    ],
)
def test_a_body_that_lacks_something_is_refused(body: bytes) -> None:
    with pytest.raises(NoEmulationRequest):
        emulation.decode(body, binary=False)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x0a\x05n", b"\x0a\x01n\x12\x01s", b"\x0a\x01\xff\x12\x01s\x1a\x01x"])
def test_a_message_that_lacks_something_is_refused(body: bytes) -> None:
    with pytest.raises(NoEmulationRequest):
        emulation.decode(body, binary=True)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_request_or_refused(body: bytes, binary: bool) -> None:
    try:
        node, session, data = emulation.decode(body, binary=binary)
    except NoEmulationRequest:
        return
    assert node
    assert session
    assert data
