from actors.protocol.codec import Codec, ProtocolError
from actors.protocol.codes import DISCONNECT_BAD_REQUEST, DISCONNECT_TOO_MANY_ERRORS
from actors.protocol.json_codec import JSON


def test_json_is_a_codec() -> None:
    codec: Codec = JSON
    assert codec.name == "json"
    assert not codec.is_binary


def test_a_protocol_error_names_the_close_code() -> None:
    assert ProtocolError("x").disconnect is DISCONNECT_BAD_REQUEST
    assert ProtocolError("x", DISCONNECT_TOO_MANY_ERRORS).disconnect is DISCONNECT_TOO_MANY_ERRORS
