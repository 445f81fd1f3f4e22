"""Our codec against the messages that the unmodified SDK generates from the protocol's schema."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from centrifuge.protocol import client_pb2 as sdk
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol import frames, protobuf_codec
from actors.protocol.codec import MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, ProtocolError
from actors.protocol.protobuf_codec import PROTOBUF, TAGS
from actors.protocol.protobuf_wire import write_varint

SDK_NAMES = {"PushedMessage": "Message"}

NEWER_THAN_THE_PYTHON_SDK = {
    "key",
    "removed",
    "score",
    "epoch",
    "version",
    "type",
    "phase",
    "cursor",
    "limit",
    "asc",
    "state",
    "publish_debounce",
    "track",
    "untrack",
    "items",
}
"""Fields of map subscriptions and later, which only the JavaScript SDK knows."""


NEWER_MESSAGES = {"KeyedItem", "TrackBatch"}


def sdk_numbers(name: str) -> dict[str, int]:
    """Field numbers of a message as the SDK knows them; none for a message that it does not know."""
    if name in NEWER_MESSAGES:
        return {}
    return {field: found.number for field, found in getattr(sdk, name).DESCRIPTOR.fields_by_name.items()}


def framed(message: Any) -> bytes:
    content = message.SerializeToString()
    out = bytearray()
    write_varint(out, len(content))
    return bytes(out) + content


def parsed(encoded: bytes) -> Any:
    reply = sdk.Reply()
    body = encoded[1:] if encoded[0] < 0x80 else encoded[2:]
    reply.ParseFromString(body)
    return reply


@pytest.mark.parametrize("cls", TAGS, ids=lambda cls: cls.__name__)
def test_numbers_are_the_protocols(cls: type[msgspec.Struct]) -> None:
    name = SDK_NAMES.get(cls.__name__, cls.__name__)
    known = sdk_numbers(name)
    for field, number in TAGS[cls].items():
        newer = field in NEWER_THAN_THE_PYTHON_SDK or name in NEWER_MESSAGES
        assert known.get(field, number if newer else None) == number


@pytest.mark.parametrize("cls", TAGS, ids=lambda cls: cls.__name__)
def test_every_field_of_a_type_has_a_number(cls: type[msgspec.Struct]) -> None:
    assert {field.name for field in msgspec.structs.fields(cls)} == set(TAGS[cls])


def test_the_proto_file_says_the_same() -> None:
    text = Path(protobuf_codec.__file__).with_name("client.proto").read_text()
    text = re.sub(r"//.*", "", text)
    for name, body in re.findall(r"message (\w+) \{([^}]*)\}", text):
        numbers = {field: int(number) for field, number in re.findall(r"(\w+) = (\d+);", body)}
        known = sdk_numbers(name)
        assert name in NEWER_MESSAGES or set(numbers) - set(known) <= NEWER_THAN_THE_PYTHON_SDK, name
        assert {field: known[field] for field in numbers if field in known} == {
            field: number for field, number in numbers.items() if field in known
        }, name
        ours = next((tags for cls, tags in TAGS.items() if SDK_NAMES.get(cls.__name__, cls.__name__) == name), {})
        assert {field: numbers.get(field) for field in ours} == ours, name


def test_commands_of_the_sdk_are_understood() -> None:
    connect = sdk.Command(id=1)
    connect.connect.token = "tök"
    connect.connect.name = "py"
    connect.connect.subs["user:#42"].recover = True
    connect.connect.subs["user:#42"].offset = 2**40
    connect.connect.headers["x"] = "y"
    subscribe = sdk.Command(id=2)
    subscribe.subscribe.channel = "room:1"
    subscribe.subscribe.flag = 3
    subscribe.subscribe.data = b"\xff\x00"
    ours = PROTOBUF.decode(framed(connect) + framed(subscribe) + b"\0")
    assert [command.id for command in ours] == [1, 2, 0]
    assert ours[0].connect is not None
    assert ours[0].connect.token == "tök"
    assert ours[0].connect.subs["user:#42"].offset == 2**40
    assert ours[0].connect.headers == {"x": "y"}
    assert ours[1].subscribe is not None
    assert bytes(ours[1].subscribe.data) == b"\xff\x00"
    assert ours[2] == frames.Command()


def test_replies_are_understood_by_the_sdk() -> None:
    info = frames.ClientInfo("u", "c", frames.raw(b"\x01\x02"))
    publication = frames.Publication(
        data=frames.raw(b"\x00binary"), info=info, offset=2**50, tags={"a": "b"}, time=-5, removed=True
    )
    reply = frames.Reply(
        id=7,
        subscribe=frames.SubscribeResult(epoch="abc", publications=[publication, publication], recovered=True, id=-1),
    )
    theirs = parsed(PROTOBUF.encode(reply))
    assert theirs.id == 7
    assert theirs.subscribe.recovered
    assert theirs.subscribe.id == -1
    assert [one.offset for one in theirs.subscribe.publications] == [2**50, 2**50]
    assert theirs.subscribe.publications[0].data == b"\x00binary"
    assert theirs.subscribe.publications[0].time == -5
    assert dict(theirs.subscribe.publications[0].tags) == {"a": "b"}
    assert theirs.subscribe.publications[0].info.conn_info == b"\x01\x02"


def test_presence_and_empty_results_are_there() -> None:
    presence = frames.Reply(id=1, presence=frames.PresenceResult({"c1": frames.ClientInfo("", "c1")}))
    theirs = parsed(PROTOBUF.encode(presence))
    assert theirs.presence.presence["c1"].client == "c1"
    published = parsed(PROTOBUF.encode(frames.Reply(id=2, publish=frames.PublishResult())))
    assert published.HasField("publish")
    assert PROTOBUF.encode(frames.Reply()) == PROTOBUF.ping


def test_unknown_fields_are_ignored() -> None:
    command = sdk.Command(id=3)
    command.rpc.method = "m"
    content = command.SerializeToString() + b"\xa0\x06\x01" + b"\xa2\x06\x02hi" + b"\xa5\x06abcd" + b"\xa1\x0612345678"
    ours = PROTOBUF.decode(bytes([len(content)]) + content)
    assert ours[0].rpc is not None
    assert ours[0].rpc.method == "m"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x05\x08",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x02\x08\xff",
        b"\x04\x22\x7f\x0a\x01",
        b"\x03\x0a\x01a",
        b"\x06\x08\xff\xff\xff\xff\x7f",
        b"\x02\x20\x01",
        b"\x01\x0b",
        b"\x05\x22\x03\x0a\x01\xff",
        b"\0" * (MAX_COMMANDS_PER_FRAME + 1),
        b"\0" * (MAX_FRAME_BYTES + 1),
    ],
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        PROTOBUF.decode(frame)


@given(st.binary(max_size=400))
def test_any_bytes_are_commands_or_refused(frame: bytes) -> None:
    try:
        commands = PROTOBUF.decode(frame)
    except ProtocolError:
        return
    assert all(isinstance(command, frames.Command) for command in commands)


def test_joined_messages_are_one_frame() -> None:
    one, two = PROTOBUF.encode(frames.Reply(id=1)), PROTOBUF.encode(frames.Reply(id=2))
    assert PROTOBUF.join([one]) == one
    assert PROTOBUF.join([one, two]) == one + two


@given(st.integers(-(2**63), 2**63 - 1))
def test_scores_keep_their_sign(score: int) -> None:
    publication = frames.Publication(key="k", score=score)
    encoded = protobuf_codec.WIRE.encode(publication)
    assert protobuf_codec.WIRE.decode(frames.Publication, encoded) == publication
    if -64 <= score < 64 and score:
        assert encoded.endswith(bytes((13 << 3, score * 2 if score > 0 else -score * 2 - 1)))


def test_tracked_keys_travel() -> None:
    track = frames.TrackBatch("1:2:ab", [frames.KeyedItem("a", 2**40), frames.KeyedItem("b")])
    command = frames.Command(
        id=5, sub_refresh=frames.SubRefreshRequest("polls:1", type=1, track=[track], untrack=["c", "d"])
    )
    content = protobuf_codec.WIRE.encode(command)
    assert protobuf_codec.WIRE.decode(frames.Command, content) == command
